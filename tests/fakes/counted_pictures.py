"""A process of its own that asks for features and writes down every picture it opens."""

import time
from multiprocessing.synchronize import Event
from pathlib import Path

from PIL import Image

from drmn.config import BackboneConfig
from drmn.data.dataset import load_dataset
from drmn.data.images import ImageSource, images
from drmn.data.store.extraction import Extraction
from drmn.data.store.making import ensure_features

SIZE = 32


class Counted:
    """Pictures whose names are appended to a file when they are opened."""

    def __init__(self, source: ImageSource, log: Path) -> None:
        self.location, self.has = source.location, source.has
        self.fingerprint = source.fingerprint
        self._source, self._log = source, log

    def open_image(self, tail: str) -> Image.Image:
        with self._log.open("a") as file:
            file.write(f"{tail}\n")
        return self._source.open_image(tail)


def ask_for_features(data_root: Path, cache_root: Path, log: Path) -> None:
    dataset = load_dataset("mine", data_root)
    pictures = Counted(images(dataset), log)
    backbone = BackboneConfig(name="resnet18")
    ensure_features(dataset, backbone, SIZE, cache_root, pictures=pictures)


def extract_slowly(work: Extraction, folder: Path, paused: Event) -> None:
    """Stop for good, and say so, once two of the files are written."""

    def pause(done: int, total: int) -> None:
        if done == total:
            paused.set()
            time.sleep(60)

    work.run(folder / "store", pause)
