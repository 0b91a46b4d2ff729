"""Images for a backbone that is being tuned: its levels change with every step."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from drmn.config import Config
from drmn.data.dataset import Dataset
from drmn.data.images import ImageSource, images
from drmn.data.transforms import Pixels, crop_flip, flip, normalise, read_pixels

CACHE_BYTES = 2 << 30
_AUGMENTATIONS = {"flip": flip, "crop_flip": crop_flip}


class LiveSource:
    """Decodes pictures when they are asked for, and keeps the pixels of as many as memory allows.

    What is kept is never given up for another: training visits all images equally often, and
    then a cache that evicts the least recent one keeps nothing of use.

    Args:
        dataset: whose pictures are meant.
        config: gives the image size and the augmentation.
        cache_bytes: at most this much memory for decoded pixels.
        pictures: where the pictures come from; None: the data set's own place.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: Config,
        *,
        cache_bytes: int = CACHE_BYTES,
        pictures: ImageSource | None = None,
    ) -> None:
        self.image_size = config.data.image_size
        self._tails = dataset.image_paths
        self._pictures = pictures if pictures is not None else images(dataset)
        self._augment = _AUGMENTATIONS.get(config.training.augmentation)
        self._num_kept = cache_bytes // (self.image_size * self.image_size * 3)
        self._kept: dict[int, Pixels] = {}

    def images(
        self, rows: Int64[np.ndarray, " B"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "B 3 S S"]:
        """Normalised images of the data set's ``rows``; these may repeat and be in any order.

        Args:
            generator: drives the augmentation; None, as in evaluation, applies none.

        Raises:
            DataError: a picture is absent or broken.
        """
        pixels = self._pixels([int(row) for row in rows])
        batch = normalise(torch.from_numpy(np.stack(pixels)))
        if generator is None or self._augment is None:
            return batch
        return self._augment(batch, generator)

    def _pixels(self, rows: list[int]) -> list[Pixels]:
        absent = sorted({row for row in rows if row not in self._kept})
        fresh = dict(zip(absent, self._decode(absent), strict=True)) if absent else {}
        room = max(0, self._num_kept - len(self._kept))
        self._kept.update((row, fresh[row]) for row in absent[:room])
        return [self._kept[row] if row in self._kept else fresh[row] for row in rows]

    def _decode(self, rows: list[int]) -> list[Pixels]:
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
            tails = [self._tails[row] for row in rows]
            return read_pixels(self._pictures, tails, self.image_size, threads)
