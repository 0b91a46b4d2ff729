"""A small data set as docs/own-data.md describes it, split given: coloured squares by class."""

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("robin", "wren", "duck", "heron", "gull", "crow", "finch", "stork")
ATTRIBUTES = ("red breast", "long tail", "streaked", "swims")
PER_CLASS = 6


def write_birds(root: Path) -> None:
    """``root/birds``: pictures by class, and the table."""
    random = np.random.default_rng(0)
    table = random.random((len(CLASSES), len(ATTRIBUTES))).round(2)
    lines = [",".join(["class", *ATTRIBUTES])]
    for name, values in zip(CLASSES, table, strict=True):
        lines.append(",".join([name, *map(str, values)]))
        folder = root / "birds" / "images" / name
        folder.mkdir(parents=True)
        for number in range(1, PER_CLASS + 1):
            noise = random.normal(0, 20, (40, 48, 3)) + 255 * values[:3]
            pixels = noise.clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:03}.jpg")
    (root / "birds" / "attributes.csv").write_text("\n".join(lines) + "\n")
    (root / "birds" / "splits.csv").write_text("image,split\n" + "".join(_splits()))


def _splits() -> list[str]:
    """The last two classes are unseen, of the others the last picture tests."""
    found = []
    for index, name in enumerate(CLASSES):
        for number in range(1, PER_CLASS + 1):
            seen = "test_seen" if number == PER_CLASS else "trainval"
            split = seen if index < len(CLASSES) - 2 else "test_unseen"
            found.append(f"{name}/{number:03}.jpg,{split}\n")
    return found
