"""The demo data set: invented creatures, rendered here and written in the xlsa17 layout.

Forty species in eight families; 36 attributes share few regions (colour, pattern, shape and
texture all lie on the body), parts move about, textures are fine, and the surroundings of a seen
species are a shortcut that fails on unseen ones.
"""

import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import scipy.io
from jaxtyping import Float64

from drmn.data.images import ZIP_FILE
from drmn.data.layouts.xlsa17 import LABELS_FILE, SPLITS_FILE
from drmn.data.sprites.drawing import draw_sprite
from drmn.data.sprites.species import ATTRIBUTES, Species, all_species
from drmn.errors import DataError
from drmn.reading import FAULTS

VERSION = 1  # raise it with any change of what is drawn
FOLDER = "SPRITES"
IMAGES_PER_SEEN = 60  # of which TEST_PER_SEEN are test_seen
TEST_PER_SEEN = 12
IMAGES_PER_UNSEEN = 40
_MANIFEST = "sprites.json"

Progress = Callable[[int, int], None]


def render_sprites(root: Path, seed: int = 0, progress: Progress | None = None) -> Path:
    """Render the data set into ``root/SPRITES`` unless it is there already.

    Everything appears at once through a rename; equal seeds give equal bytes in images.zip.

    Args:
        root: the data root; made if absent.
        seed: of species and pictures. Another seed or version replaces what is there.
        progress: called with the number of pictures drawn and the total.

    Returns:
        The folder, ready for ``load_dataset("sprites", root)``.

    Raises:
        DataError: ``root`` cannot be written, or its SPRITES folder is not of this making.
    """
    target = root / FOLDER
    if _is_current(target, seed):
        return target
    if target.exists() and not (target / _MANIFEST).is_file():
        raise DataError(
            f"{target} holds something else than rendered sprites", "move it, or use another root"
        )
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{FOLDER}-", dir=root) as scratch:
            drawn = Path(scratch) / FOLDER
            drawn.mkdir()
            _render(drawn, seed, progress)
            _put_in_place(drawn, target, seed)
    except OSError as error:
        raise DataError(f"sprites cannot be written to {target}: {error}") from error
    return target


def _render(folder: Path, seed: int, progress: Progress | None) -> None:
    species = all_species(seed)
    counts = [IMAGES_PER_SEEN if one.seen else IMAGES_PER_UNSEEN for one in species]
    labels = np.repeat(np.arange(len(species)), counts)
    numbers = np.concatenate([np.arange(count) for count in counts])
    paths = [
        f"{species[label].name}/v{VERSION}_s{seed}_{number:03d}.png"
        for label, number in zip(labels, numbers, strict=True)
    ]
    with zipfile.ZipFile(folder / ZIP_FILE, "w", zipfile.ZIP_STORED) as archive:
        for row, (label, number) in enumerate(zip(labels, numbers, strict=True)):
            rng = np.random.default_rng([seed, VERSION, int(label), int(number)])
            image = io.BytesIO()
            draw_sprite(species[label], rng).save(image, "PNG", compress_level=4)
            archive.writestr(zipfile.ZipInfo(f"images/{paths[row]}"), image.getvalue())
            if progress is not None:
                progress(row + 1, len(labels))
    _write_layout(folder, species, labels, numbers, paths)
    (folder / "attributes.txt").write_text("".join(f"{name}\n" for name in ATTRIBUTES))
    (folder / _MANIFEST).write_text(json.dumps({"version": VERSION, "seed": seed}) + "\n")


def _write_layout(
    folder: Path,
    species: Sequence[Species],
    labels: np.ndarray,
    numbers: np.ndarray,
    paths: Sequence[str],
) -> None:
    """att_splits.mat and res101.mat; rows and labels count from 1 in these files."""
    seen = np.array([one.seen for one in species])[labels]
    tested = numbers >= IMAGES_PER_SEEN - TEST_PER_SEEN
    percent = 100.0 * np.stack([one.strengths for one in species], axis=1)
    splits: dict[str, object] = {
        "att": _unit_columns(percent),
        "original_att": percent,
        "allclasses_names": _cells([one.name for one in species]),
        "trainval_loc": _column(np.flatnonzero(seen & ~tested) + 1),
        "test_seen_loc": _column(np.flatnonzero(seen & tested) + 1),
        "test_unseen_loc": _column(np.flatnonzero(~seen) + 1),
    }
    scipy.io.savemat(folder / SPLITS_FILE, splits, do_compression=True)
    rows = {
        "image_files": _cells([f"{FOLDER}/images/{path}" for path in paths]),
        "labels": _column(labels + 1),
    }
    scipy.io.savemat(folder / LABELS_FILE, rows, do_compression=True)


def _unit_columns(matrix: Float64[np.ndarray, "A K"]) -> Float64[np.ndarray, "A K"]:
    return np.asarray(matrix / np.linalg.norm(matrix, axis=0))


def _cells(texts: Sequence[str]) -> np.ndarray:
    cells = np.empty((len(texts), 1), dtype=object)
    cells[:, 0] = texts
    return cells


def _column(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64)[:, None]


def _is_current(folder: Path, seed: int) -> bool:
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
    except FAULTS:
        return False
    return bool(manifest == {"version": VERSION, "seed": seed})


def _put_in_place(drawn: Path, target: Path, seed: int) -> None:
    """Rename into place; whoever comes second with the same sprites keeps the first's."""
    if target.exists():
        target.rename(drawn.parent / "replaced")
    try:
        drawn.rename(target)
    except OSError:
        if not _is_current(target, seed):
            raise
    shutil.rmtree(drawn.parent / "replaced", ignore_errors=True)
