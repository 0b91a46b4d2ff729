"""When a sweep's model goes into the registry: after its runs, at the sweep's end or later."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from drmn.atomic import replacing
from drmn.deployed.saved_model import MODEL_FILE
from drmn.errors import DrmnError
from orchestration.finishing import RESULT_FILE
from orchestration.request import SweepRequest
from orchestration.request_file import REQUEST_FILE
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.serving.registry import Registered

REGISTERED_FILE = "registered.json"
"""In a sweep's folder, once its model is registered."""


def register_model(path: Path, settings: Settings) -> "Registered":
    """Register the model file ``path``, and note it in its sweep's folder; harmless again.

    Raises:
        TrackingError: MLflow refuses, does not answer or does not have the run.
        DataError: the file is damaged, or not of a sweep that chose on validation.
    """
    from orchestration.serving.registry import register  # takes a second to import

    found = register(path, settings)
    if (path.parent / REQUEST_FILE).exists():
        with replacing(path.parent / REGISTERED_FILE) as temporary:
            temporary.write_text(json.dumps({"uri": found.uri}) + "\n")
    return found


def register_now(path: Path, settings: Settings, *, is_sent: bool) -> str:
    """How the registration at a sweep's end went; what hinders it is told, not raised.

    Args:
        is_sent: whether MLflow has all of the sweep's runs, to one of which the model belongs.
    """
    later = f"`drmn runs reconcile {path.parent.name}` does it later"
    if not is_sent:
        return f"not registered: MLflow does not have all of the sweep's runs yet; {later}"
    try:
        return str(register_model(path, settings))
    except DrmnError as error:
        return f"not registered: {error.message}; {later}"


def is_unregistered(folder: Path, request: SweepRequest) -> bool:
    """Whether the finished sweep in ``folder`` has a model that is still to be registered."""
    has_model = (folder / RESULT_FILE).exists() and (folder / MODEL_FILE).exists()
    return has_model and not request.is_best_on_test and not (folder / REGISTERED_FILE).exists()
