"""Which training images make a batch: positions ``[B]`` into the training partition.

B never varies: the SIT attends over one sequence of B·A tokens, so another B is another method.
The batches of an epoch depend on the seed and the epoch's number alone, so a resumed run needs
no generator's state.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Int64

from drmn.config import TrainingConfig
from drmn.errors import ConfigError

Batch = Int64[np.ndarray, " B"]


class Sampler(ABC):
    """Iterating gives the batches of the current epoch; after the last one the next is current.

    Attributes:
        steps: batches per epoch.
        epoch: the current epoch, from 0.
    """

    def __init__(self, *, num_images: int, batch_size: int, steps: int | None, seed: int) -> None:
        if num_images < 1:
            raise ConfigError("there are 0 training images, but a sampler needs >= 1")
        if steps is not None and steps < 1:
            raise ConfigError(f"the value of `steps` is {steps}, but must be >= 1 (or none)")
        self.batch_size = batch_size
        self.steps = steps if steps is not None else -(-num_images // batch_size)
        self.epoch = 0
        self._step = 0
        self._seed = seed

    @abstractmethod
    def batches(self, epoch: int) -> Iterator[Batch]:
        """The ``steps`` batches of one epoch, whatever was iterated before."""

    def __iter__(self) -> Iterator[Batch]:
        for step, batch in enumerate(self.batches(self.epoch)):
            if step >= self._step:
                self._step = step + 1
                yield batch
        self.epoch, self._step = self.epoch + 1, 0

    def __len__(self) -> int:
        return self.steps

    def state_dict(self) -> dict[str, int]:
        """Where the iteration stands: what :meth:`load_state_dict` goes on from."""
        return {"seed": self._seed, "epoch": self.epoch, "step": self._step}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        self._seed, self.epoch, self._step = state["seed"], state["epoch"], state["step"]

    def _generator(self, epoch: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, epoch])


class RandomSampler(Sampler):
    """Passes over the images in random order, each completed before the next begins.

    A batch that spans two passes repeats no image unless there are fewer than B of them.
    """

    def __init__(
        self, num_images: int, batch_size: int, steps: int | None = None, seed: int = 0
    ) -> None:
        super().__init__(num_images=num_images, batch_size=batch_size, steps=steps, seed=seed)
        self._num_images = num_images

    def batches(self, epoch: int) -> Iterator[Batch]:
        rng = self._generator(epoch)
        rest = rng.permutation(self._num_images)
        for _ in range(self.steps):
            while len(rest) < self.batch_size:
                following = rng.permutation(self._num_images)
                started = np.isin(following, rest)  # come last in the pass that follows
                rest = np.concatenate([rest, following[~started], following[started]])
            yield rest[: self.batch_size]
            rest = rest[self.batch_size :]


class EpisodicSampler(Sampler):
    """Each batch: a few classes chosen at random, then images of each.

    Where fewer classes exist than are asked for, each gives more images, as evenly as B divides.
    A class with too few images leaves its places to the batch's others; only when these are
    exhausted too is an image repeated.

    Args:
        labels: class of each training image.
        classes_per_batch: classes asked for; B is this times ``images_per_class``.
        steps: batches per epoch; None: as many as one pass over the images would take.
    """

    def __init__(
        self,
        labels: Int64[np.ndarray, " n"],
        classes_per_batch: int,
        images_per_class: int,
        steps: int | None = None,
        seed: int = 0,
    ) -> None:
        batch_size = classes_per_batch * images_per_class
        super().__init__(num_images=len(labels), batch_size=batch_size, steps=steps, seed=seed)
        self._members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        self._classes_per_batch = min(classes_per_batch, len(self._members))

    def batches(self, epoch: int) -> Iterator[Batch]:
        rng = self._generator(epoch)
        for _ in range(self.steps):
            classes = rng.choice(len(self._members), self._classes_per_batch, replace=False)
            members = [rng.permutation(self._members[label]) for label in classes]
            shares = even_shares(self.batch_size, [len(images) for images in members])
            yield np.concatenate(
                [np.resize(images, share) for images, share in zip(members, shares, strict=True)]
            )


def even_shares(total: int, capacities: list[int]) -> list[int]:
    """``total`` dealt out in rounds, one each; who is full passes until all are, then none is."""
    shares = [0] * len(capacities)
    limits = list(capacities)
    while total:
        open_to = [i for i, limit in enumerate(limits) if shares[i] < limit]
        if not open_to:
            limits = [limit + capacity for limit, capacity in zip(limits, capacities, strict=True)]
        for index in open_to[:total]:
            shares[index] += 1
        total -= len(open_to[:total])
    return shares


def build_sampler(config: TrainingConfig, labels: Int64[np.ndarray, " n"]) -> Sampler:
    """The sampler that ``training.sampler`` names, seeded with ``training.seed``."""
    if config.sampler == "random":
        return RandomSampler(len(labels), config.batch_size, config.steps_per_epoch, config.seed)
    return EpisodicSampler(
        labels,
        config.classes_per_batch,
        config.images_per_class,
        config.steps_per_epoch,
        config.seed,
    )
