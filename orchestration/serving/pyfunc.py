"""A served model: MLflow's ``python_function`` calls this module; nothing in it is pickled.

The model's folder in MLflow holds our own file (:mod:`drmn.deployed.saved_model`) and the name of
this module, which reads it. A row has ``image``, a picture's bytes in base64; parameters are those
of ``drmn predict``, with the text of the table of classes never trained in place of its file.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drmn.data.pictures import picture_of
from drmn.data.transforms import square_pixels
from drmn.deployed.given_classes import parse_classes
from drmn.deployed.prediction import Predictor
from drmn.deployed.saved_model import SavedModel, load_model
from drmn.errors import DataError
from orchestration.serving.amounts import TOP_ATTRIBUTES, TOP_CLASSES
from orchestration.serving.answers import Answer, answer

IMAGE = "image"
DEFAULTS: Mapping[str, str | bool | int] = {
    "classes": "",
    "only_given": False,
    "top": TOP_CLASSES,
    "attributes": TOP_ATTRIBUTES,
}
"""Parameters of a request. Text (CSV), whether to answer among its classes alone, how many."""

Row = dict[str, Any]


@dataclass(frozen=True)
class ServedModel:
    """What MLflow calls."""

    saved: SavedModel
    plain: Predictor
    """Without classes of a request."""

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> list[Row]:
        """One row per picture; a broken one has ``error`` and holds up no other.

        Raises:
            DataError: the table of classes is wrong.
        """
        wanted = {**DEFAULTS, **(params or {})}
        predictor = self._predictor(str(wanted["classes"]), only_given=bool(wanted["only_given"]))
        images = list(model_input[IMAGE])
        return [_row(predictor, image, f"in row {row}", wanted) for row, image in enumerate(images)]

    def _predictor(self, classes: str, *, only_given: bool) -> Predictor:
        if not classes and not only_given:
            return self.plain
        names = self.saved.attribute_names
        given = (
            parse_classes(classes, names, self.saved.class_names, origin="the parameter `classes`")
            if classes
            else None
        )
        return self.plain.with_classes(given, only_given=only_given)


def _load_pyfunc(data_path: str) -> ServedModel:
    """MLflow's way in."""
    saved = load_model(Path(data_path))
    return ServedModel(saved, Predictor(saved))


def _row(predictor: Predictor, image: object, place: str, wanted: Mapping[str, Any]) -> Row:
    try:
        picture = picture_of(_decoded(image, place), place)
    except DataError as error:
        return {"error": str(error)}
    (prediction,) = predictor.predict([square_pixels(picture, predictor.image_size)])
    found = answer(
        predictor,
        prediction,
        num_classes=int(wanted["top"]),
        num_attributes=int(wanted["attributes"]),
    )
    return _plain(found)


def _plain(found: Answer) -> Row:
    return {
        "decision": found.decision,
        "is_seen": found.is_seen,
        "classes": list(found.classes),
        "probabilities": list(found.classes.values()),
        "attributes": list(found.attributes),
        "attribute_scores": list(found.attributes.values()),
    }


def _decoded(image: object, place: str) -> bytes:
    try:
        return base64.b64decode(str(image), validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(
            f"the picture {place} is not base64: {error}", "send the file's bytes in base64"
        ) from error
