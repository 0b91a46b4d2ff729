"""A prediction in words and numbers, the same on the terminal, in JSON and from a server."""

from dataclasses import dataclass

from drmn.deployed.prediction import Prediction, Predictor
from orchestration.serving.amounts import TOP_ATTRIBUTES, TOP_CLASSES


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Of one picture: the decision, the most probable classes, the attributes most found."""

    decision: str
    is_seen: bool
    classes: dict[str, float]
    """Probabilities (see :mod:`drmn.deployed.prediction`), highest first."""
    attributes: dict[str, float]
    """Share in e / ||e|| of Eq. 7, highest first."""


def answer(
    predictor: Predictor,
    prediction: Prediction,
    *,
    num_classes: int = TOP_CLASSES,
    num_attributes: int = TOP_ATTRIBUTES,
) -> Answer:
    """``prediction`` in words."""
    classes = prediction.probabilities.topk(min(num_classes, len(predictor.class_names)))
    return Answer(
        decision=predictor.class_names[prediction.decision],
        is_seen=bool(predictor.seen[prediction.decision]),
        classes={
            predictor.class_names[k]: float(p)
            for p, k in zip(classes.values, classes.indices.tolist(), strict=True)
        },
        attributes={
            predictor.attribute_names[a]: float(prediction.attributes[a])
            for a in top_attributes(prediction, num_attributes)
        },
    )


def top_attributes(prediction: Prediction, count: int) -> list[int]:
    """The attributes found most strongly, strongest first."""
    found: list[int] = prediction.attributes.argsort(descending=True)[:count].tolist()
    return found
