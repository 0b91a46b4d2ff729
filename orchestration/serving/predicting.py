"""Many pictures through one model: a broken one is reported and holds up no other."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from drmn.data.pictures import open_picture
from drmn.data.transforms import Pixels, square_pixels
from drmn.deployed.prediction import BATCH_SIZE, Prediction, Predictor
from drmn.errors import DataError
from orchestration.serving.amounts import TOP_ATTRIBUTES, TOP_CLASSES
from orchestration.serving.answers import Answer, answer
from orchestration.serving.overlay import MAX_OVERLAID, save_overlay


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How much of an answer is wanted; ``overlay`` is a folder for attention maps."""

    num_classes: int = TOP_CLASSES
    num_attributes: int = TOP_ATTRIBUTES
    overlay: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """One picture's answer, or why there is none."""

    image: Path
    answer: Answer | None = None
    overlay: Path | None = None
    error: DataError | None = None


def predict_files(
    predictor: Predictor, images: Sequence[Path], wanted: Wanted
) -> Iterator[Predicted]:
    """One result per picture, in order."""
    waiting = iter(zip(images, _overlay_names(images), strict=True))
    while chunk := list(islice(waiting, BATCH_SIZE)):
        read = [_read(path, predictor.image_size) for path, _ in chunk]
        whole = [each for each in read if not isinstance(each, DataError)]
        predictions = iter(predictor.predict(whole))
        for (path, name), each in zip(chunk, read, strict=True):
            if isinstance(each, DataError):
                yield Predicted(image=path, error=each)
            else:
                yield _result(path, name, each, next(predictions), predictor, wanted)


def _read(path: Path, image_size: int) -> Pixels | DataError:
    try:
        return square_pixels(open_picture(path), image_size)
    except DataError as error:
        return error


def _result(
    path: Path,
    name: str,
    pixels: Pixels,
    prediction: Prediction,
    predictor: Predictor,
    wanted: Wanted,
) -> Predicted:
    found = answer(
        predictor,
        prediction,
        num_classes=wanted.num_classes,
        num_attributes=wanted.num_attributes,
    )
    if wanted.overlay is None:
        return Predicted(image=path, answer=found)
    target = wanted.overlay / name
    count = min(max(wanted.num_attributes, 1), MAX_OVERLAID)
    names = predictor.attribute_names
    save_overlay(target, pixels, prediction, names, title=found.decision, count=count)
    return Predicted(image=path, answer=found, overlay=target)


def _overlay_names(images: Sequence[Path]) -> list[str]:
    """``cat.png`` for ``cat.jpg``; pictures of the same name are numbered by their place."""
    stems = Counter(path.stem for path in images)
    return [
        f"{path.stem}.png" if stems[path.stem] == 1 else f"{path.stem}-{number}.png"
        for number, path in enumerate(images, start=1)
    ]
