"""Counts printed in the literature, against which a download is checked."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a data set of a known name must hold (the proposed splits of xlsa17)."""

    images: int
    seen_classes: int
    unseen_classes: int
    attributes: int
    trainval: int
    test_seen: int
    test_unseen: int


PUBLISHED: dict[str, Counts] = {
    "cub": Counts(
        images=11_788,
        seen_classes=150,
        unseen_classes=50,
        attributes=312,
        trainval=7_057,
        test_seen=1_764,
        test_unseen=2_967,
    ),
    "sun": Counts(
        images=14_340,
        seen_classes=645,
        unseen_classes=72,
        attributes=102,
        trainval=10_320,
        test_seen=2_580,
        test_unseen=1_440,
    ),
    "awa2": Counts(
        images=37_322,
        seen_classes=40,
        unseen_classes=10,
        attributes=85,
        trainval=23_527,
        test_seen=5_882,
        test_unseen=7_913,
    ),
}
"""By :func:`drmn.data.dataset.dataset_key` of the name."""


KNOWN_SPLITS: dict[str, str] = {
    "1b1001d8572a80af": "CUB, proposed split (PS v2)",
    "89b6167ed2640b74": "SUN, proposed split (PS v2)",
    "7ae20645a0a89d7f": "AwA2, proposed split (PS v2)",
}
"""By split hash. Pinned from copies whose counts are those of the paper that introduced version 2
and whose trainval and test parts are disjoint; the files themselves bear no version number. The
hash of version 1 is not known to us, so any other split of these data sets is called unknown."""
