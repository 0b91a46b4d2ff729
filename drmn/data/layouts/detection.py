"""Which layout a folder has, by the files in it; the proposed splits win over a distribution."""

from collections.abc import Callable
from pathlib import Path

from drmn.data.layouts.awa2 import is_awa2, read_awa2
from drmn.data.layouts.cub import is_cub, read_cub
from drmn.data.layouts.draft import Draft
from drmn.data.layouts.folder import is_folder, read_folder
from drmn.data.layouts.sun import is_sun, read_sun
from drmn.data.layouts.xlsa17 import is_xlsa17, read_xlsa17

Reader = Callable[[Path], Draft]

_READERS: tuple[tuple[Callable[[Path], bool], Reader], ...] = (
    (is_xlsa17, read_xlsa17),
    (is_cub, read_cub),
    (is_awa2, read_awa2),
    (is_sun, read_sun),
    (is_folder, read_folder),
)

FOLDER_NAMES = {
    "cub": ("cub", "cub_200_2011"),
    "awa2": ("awa2", "animals_with_attributes2"),
    "sun": ("sun", "sunattributedb"),
}
"""What the folder of a known data set may be called (letter case, - and _ do not matter)."""


def reader_of(folder: Path) -> Reader | None:
    """The reader of the first layout whose files are there."""
    return next((reader for present, reader in _READERS if present(folder)), None)
