"""A data set without pictures, of which only the published features are at hand."""

from pathlib import Path

import numpy as np
import scipy.io


def write_pooled(root: Path, num_classes: int = 8, per_class: int = 6) -> None:
    """The last two classes are unseen; each image has 2048 numbers, which tell its class."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(num_classes), per_class)
    names = np.array([f"images/{k}/{n}.jpg" for n, k in enumerate(labels)], dtype=object)
    classes = np.array([f"class_{k}" for k in range(num_classes)], dtype=object)
    is_seen, is_held_out = labels < num_classes - 2, np.arange(len(labels)) % per_class == 0
    root.mkdir()
    splits = {
        "att": random.random((5, num_classes)),
        "allclasses_names": classes[:, None],
        "trainval_loc": np.flatnonzero(is_seen & ~is_held_out)[:, None] + 1,
        "test_seen_loc": np.flatnonzero(is_seen & is_held_out)[:, None] + 1,
        "test_unseen_loc": np.flatnonzero(~is_seen)[:, None] + 1,
    }
    signal = random.random((num_classes, 2048))[labels] + random.random((len(labels), 2048))
    scipy.io.savemat(root / "att_splits.mat", splits)
    rows = {"image_files": names[:, None], "labels": labels[:, None] + 1.0, "features": signal.T}
    scipy.io.savemat(root / "res101.mat", rows)
