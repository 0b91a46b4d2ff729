"""A model wherever it is: a file, a folder, a run in MLflow or MLflow's registry."""

from pathlib import Path

from drmn.deployed.saved_model import MODEL_FILE, SavedModel, load_model
from drmn.errors import DataError
from orchestration.settings import Settings

_REMOTE = ("runs:/", "models:/")


def read_model(place: str, settings: Settings) -> SavedModel:
    """The model at a path, ``runs:/RUN_ID/model`` or ``models:/NAME@champion``.

    Raises:
        DataError: there is none, it is ambiguous or damaged.
        TrackingError: MLflow does not give it.
    """
    if not place.startswith(_REMOTE):
        return load_model(find_model(Path(place)))
    from orchestration.serving.registry import download_model  # takes a second to import

    with download_model(place, settings) as folder:
        return load_model(find_model(folder))


def find_model(place: Path) -> Path:
    """``place`` itself if it is a file, else the one model file below it.

    Raises:
        DataError: it is absent, or a folder with none or several below it.
    """
    try:
        if not place.is_dir():
            return place
        found = sorted(place.rglob(MODEL_FILE))
    except OSError as error:
        raise DataError(
            f"the model {place} cannot be read: {error.strerror}", "name a file or a folder"
        ) from error
    if len(found) == 1:
        return found[0]
    direct = place / MODEL_FILE
    if direct in found:
        return direct
    named = ", ".join(str(path.relative_to(place).parent) for path in found[:5])
    raise DataError(
        f"{place} holds {len(found)} models ({MODEL_FILE}), but must hold 1"
        + (f": {named}" if found else ""),
        "name the folder or the file itself",
    )
