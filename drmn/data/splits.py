"""Which images train and which evaluate; validation is carved out of trainval alone.

The published ``train_loc`` and ``val_loc`` of CUB, SUN and AwA2 touch test images: they are used
only where they do not, and only when asked for. Letters: K classes of the split (numbered from 0
within it), A attributes.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Int64

from drmn.config import ValidationConfig
from drmn.data.dataset import Dataset, digest
from drmn.errors import DataError

_SEED = 20_230_507  # of the class permutation: folds are the same for everybody


@dataclass(frozen=True, kw_only=True, eq=False)
class Partition:
    """Rows of the data set with their labels in the split's own class numbering."""

    rows: Int64[np.ndarray, " n"]
    labels: Int64[np.ndarray, " n"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """A training part and two evaluation parts over K classes, of which ``seen`` are trained.

    ``protocol`` is "validation" (chosen on held-out trainval), "test" (the final evaluation) or
    "best-on-test" (choices leak from test: never compare with honest numbers).
    """

    protocol: str
    class_ids: Int64[np.ndarray, " K"]
    class_names: tuple[str, ...]
    attributes: Float32[np.ndarray, "K A"]
    seen: Bool[np.ndarray, " K"]
    train: Partition
    eval_seen: Partition
    eval_unseen: Partition
    hash: str


def test_split(dataset: Dataset) -> Split:
    """Train on all of trainval, evaluate on test_seen and test_unseen, over all classes."""
    return _build(
        dataset, "test", train=dataset.trainval, seen=dataset.test_seen, unseen=dataset.test_unseen
    )


test_split.__test__ = False  # type: ignore[attr-defined]  # no test case for pytest


def validation_split(dataset: Dataset, config: ValidationConfig) -> Split:
    """Held-out seen classes play unseen, held-out images of the others play test_seen.

    Folds hold out disjoint classes until all have had their turn. With the protocol
    "best-on-test" the test parts themselves are returned, labelled so.

    Raises:
        DataError: fewer than two classes or too few images to hold any out; or the published
            parts are asked for and leak, are absent, or hold no class of their own.
    """
    if config.protocol == "best-on-test":
        leaking = test_split(dataset)
        return replace(leaking, protocol=config.protocol, hash=digest([leaking.hash, "leaks"]))
    if config.source == "published":
        remaining, unseen = published_parts(dataset)
    else:
        plays_unseen = _plays_unseen(dataset, config)
        remaining, unseen = dataset.trainval[~plays_unseen], dataset.trainval[plays_unseen]
    held_out = _held_out_images(dataset, remaining, config)
    split = _build(
        dataset,
        "validation",
        train=remaining[~held_out],
        seen=remaining[held_out],
        unseen=unseen,
    )
    _assert_no_test_image(dataset, split)
    return split


def published_parts(
    dataset: Dataset,
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " m"]]:
    """The rows of train_loc and val_loc, where using them for choices is honest.

    Raises:
        DataError: saying why it is not.
    """
    if dataset.published_validation is None:
        raise _not_published(dataset, "its files have no usable train_loc and val_loc")
    train, val = dataset.published_validation
    both = np.concatenate([train, val])
    tested = np.concatenate([dataset.test_seen, dataset.test_unseen])
    if num_leaking := int(np.isin(both, tested).sum()):
        total = len(dataset.test_seen)
        reason = f"train_loc and val_loc hold {num_leaking} test images (test_seen has {total})"
        raise _not_published(dataset, f"{reason}: choices made on them would leak")
    if np.isin(dataset.labels[val], dataset.labels[train]).any():
        raise _not_published(dataset, "val_loc holds classes of train_loc, so none plays unseen")
    kept = [np.intersect1d(part, dataset.trainval) for part in (train, val)]
    return kept[0], kept[1]


def _not_published(dataset: Dataset, reason: str) -> DataError:
    return DataError(
        f"the published validation split of {dataset.name} is refused: {reason}",
        "use validation.source=folds, which carves validation out of trainval alone",
    )


def _plays_unseen(dataset: Dataset, config: ValidationConfig) -> Bool[np.ndarray, " n"]:
    labels = dataset.labels[dataset.trainval]
    return np.isin(labels, _held_out_classes(np.unique(labels), config))


def _held_out_classes(class_ids: Int64[np.ndarray, " S"], config: ValidationConfig) -> np.ndarray:
    """The classes of this fold: a window of a fixed permutation, a new one for every cycle."""
    num_classes = len(class_ids)
    if num_classes < 2:
        raise DataError(
            f"trainval has {num_classes} class, but validation needs at least 2: "
            "one to train on and one to play unseen"
        )
    wanted = max(2, round(config.unseen_class_fraction * num_classes))
    num_held = min(wanted, num_classes - 1)
    cycle, window = divmod(config.fold, num_classes // num_held)
    order = np.random.default_rng([_SEED, cycle]).permutation(num_classes)
    return np.sort(class_ids[order[window * num_held : (window + 1) * num_held]])


def _held_out_images(
    dataset: Dataset, rows: Int64[np.ndarray, " n"], config: ValidationConfig
) -> Bool[np.ndarray, " n"]:
    """A share of each class's images, at least one, leaving at least one to train on."""
    labels = dataset.labels[rows]
    held_out = np.zeros(len(rows), dtype=bool)
    for class_id in np.unique(labels):
        own = np.flatnonzero(labels == class_id)
        num_held = min(max(1, round(config.seen_image_fraction * len(own))), len(own) - 1)
        order = np.random.default_rng([_SEED, config.fold, int(class_id)]).permutation(len(own))
        held_out[own[order[:num_held]]] = True
    if not held_out.any():
        raise DataError("no class of trainval has 2 images, but validation must hold one out")
    return held_out


def _build(
    dataset: Dataset,
    protocol: str,
    *,
    train: Int64[np.ndarray, " n"],
    seen: Int64[np.ndarray, " m"],
    unseen: Int64[np.ndarray, " o"],
) -> Split:
    class_ids = np.unique(dataset.labels[np.concatenate([train, seen, unseen])])
    is_seen = np.isin(class_ids, dataset.labels[train])

    def partition(rows: Int64[np.ndarray, " p"]) -> Partition:
        labels = np.searchsorted(class_ids, dataset.labels[rows])
        return Partition(rows=rows, labels=labels.astype(np.int64))

    return Split(
        protocol=protocol,
        class_ids=class_ids,
        class_names=tuple(dataset.class_names[class_id] for class_id in class_ids),
        attributes=dataset.attributes[class_ids],
        seen=is_seen,
        train=partition(train),
        eval_seen=partition(seen),
        eval_unseen=partition(unseen),
        hash=digest([dataset.split_hash, protocol, class_ids, is_seen, train, seen, unseen]),
    )


def _assert_no_test_image(dataset: Dataset, split: Split) -> None:
    """Selection sees no test image (by path) and no truly unseen class."""
    parts = (split.train, split.eval_seen, split.eval_unseen)
    used = [dataset.image_paths[row] for part in parts for row in part.rows]
    test_rows = np.concatenate([dataset.test_seen, dataset.test_unseen])
    assert len(set(used)) == len(used), "an image occurs in two parts of a validation split"
    assert set(used).isdisjoint(dataset.image_paths[row] for row in test_rows)
    assert not np.isin(split.class_ids, dataset.labels[dataset.test_unseen]).any()
