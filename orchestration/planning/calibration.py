"""Two batches of training and a short evaluation, timed where a trial would run."""

import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64

from drmn.config import Config
from drmn.data.dataset import load_dataset
from drmn.data.sampler import build_sampler
from drmn.data.splits import Partition, Split, test_split, validation_split
from drmn.model.backbone import build_backbone
from drmn.model.levels import LevelSpec
from drmn.training import Trainer
from orchestration.levels import open_levels
from orchestration.trainable import TrialContext

NUM_STEPS = 2
_NUM_EVALUATED = 64  # of each evaluation part
_NUM_EXTRACTED = 4
_STATUS = Path("/proc/self/status")
_SAMPLED_EVERY_S = 0.02


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What was measured in one worker, and the sizes that it is multiplied by.

    Args:
        opening_s: to open the data and build the model.
        step_s: one batch.
        image_s: one image's evaluation.
        checkpoint_s: to write a checkpoint, of ``checkpoint_bytes``.
        extraction_s: one image through the frozen backbone, reading it aside; 0 where nothing
            is to be extracted.
        base_bytes: private memory of a worker before the trial.
        trial_bytes: the trial's peak above it; the shared pages of a feature store aside.
        gpu_bytes: most that PyTorch held on the GPU; 0 without one.
        gpu_total_bytes: of that GPU.
        steps: batches of an epoch, ``final_steps`` on trainval.
        images: of the evaluation part, ``final_images`` of the test part.
    """

    opening_s: float
    step_s: float
    image_s: float
    checkpoint_s: float
    extraction_s: float
    checkpoint_bytes: int
    base_bytes: int
    trial_bytes: int
    gpu_bytes: int
    gpu_total_bytes: int
    steps: int
    images: int
    final_steps: int
    final_images: int

    @property
    def epoch_s(self) -> float:
        """One epoch of a trial: training, evaluation, checkpoint."""
        return self.steps * self.step_s + self.images * self.image_s + self.checkpoint_s

    def final_s(self, epochs: int) -> float:
        """One final run: no evaluation but the one on test."""
        trained_s = epochs * self.final_steps * self.step_s
        return self.opening_s + trained_s + self.final_images * self.image_s


class RandomLevels:
    """Stands in for a feature store that is yet to be made."""

    def __init__(self, specs: Sequence[LevelSpec]) -> None:
        self.specs = tuple(specs)

    def levels(self, rows: Int64[np.ndarray, " B"]) -> tuple[Float[torch.Tensor, "B _ _ _"], ...]:
        """Levels of as many images as there are rows."""
        return tuple(torch.randn(len(rows), *spec.shape) for spec in self.specs)


def calibrate(context: TrialContext, specs: tuple[LevelSpec, ...] | None) -> Calibration:
    """Measure; ``specs`` are of the features where they are not there yet.

    Raises:
        OutOfMemoryError: the GPU is too small (torch.cuda).
    """
    torch.set_num_threads(context.num_threads)
    config, base_bytes = Config.from_flat(context.config), _private_bytes()
    if context.on_gpu:
        torch.cuda.reset_peak_memory_stats()
    with _peak_memory() as peak, tempfile.TemporaryDirectory(prefix="drmn-plan-") as name:
        started = time.perf_counter()
        trainer, split, tested = _opened(config, context, specs)
        opening_s = time.perf_counter() - started
        trainer.train_epoch(evaluate=False)  # the first batches are slower
        step_s = _timed(lambda: trainer.train_epoch(evaluate=False)) / NUM_STEPS
        trainer.evaluate()
        image_s = _timed(trainer.evaluate) / _num_evaluated(trainer.split)
        checkpoint_s = _timed(lambda: trainer.save(Path(name)))
        (checkpoint,) = Path(name).iterdir()
        checkpoint_bytes = checkpoint.stat().st_size
    return Calibration(
        opening_s=opening_s,
        step_s=step_s,
        image_s=image_s,
        checkpoint_s=checkpoint_s,
        extraction_s=0.0 if specs is None else _extraction_s(config, context.device),
        checkpoint_bytes=checkpoint_bytes,
        base_bytes=base_bytes,
        trial_bytes=max(0, max(peak) - base_bytes),
        gpu_bytes=torch.cuda.max_memory_reserved() if context.on_gpu else 0,
        gpu_total_bytes=torch.cuda.mem_get_info()[1] if context.on_gpu else 0,
        steps=build_sampler(config.training, split.train.labels).steps,
        images=_num_evaluated(split),
        final_steps=build_sampler(config.training, tested.train.labels).steps,
        final_images=_num_evaluated(tested),
    )


def _opened(
    config: Config, context: TrialContext, specs: tuple[LevelSpec, ...] | None
) -> tuple[Trainer, Split, Split]:
    """A trainer of two batches and a short evaluation; the splits of trials and final runs."""
    dataset = load_dataset(config.data.dataset, Path(context.data_root))
    split = validation_split(dataset, config.validation)
    source = (
        open_levels(dataset, config, context.features) if specs is None else RandomLevels(specs)
    )
    brief = config.with_overrides({"training.steps_per_epoch": NUM_STEPS, "training.epochs": 2})
    trainer = Trainer(brief, _shortened(split), source, device=context.device)
    return trainer, split, test_split(dataset)


def _shortened(split: Split) -> Split:
    return replace(split, eval_seen=_few(split.eval_seen), eval_unseen=_few(split.eval_unseen))


def _few(part: Partition) -> Partition:
    return Partition(rows=part.rows[:_NUM_EVALUATED], labels=part.labels[:_NUM_EVALUATED])


def _num_evaluated(split: Split) -> int:
    return len(split.eval_seen.rows) + len(split.eval_unseen.rows)


def _extraction_s(config: Config, device: torch.device) -> float:
    backbone = build_backbone(config.backbone).to(device).eval()
    images = torch.randn(_NUM_EXTRACTED, 3, config.data.image_size, config.data.image_size)
    with torch.inference_mode():
        backbone(images.to(device))
        return _timed(lambda: [level.cpu() for level in backbone(images.to(device))]) / len(images)


def _timed(work: object) -> float:
    assert callable(work)
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@contextmanager
def _peak_memory() -> Iterator[list[int]]:
    """The process's private memory, sampled while the ``with`` lasts."""
    samples, ended = [_private_bytes()], threading.Event()

    def sample() -> None:
        while not ended.wait(_SAMPLED_EVERY_S):
            samples.append(_private_bytes())

    thread = threading.Thread(target=sample, name="memory-sampler", daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def _private_bytes() -> int:
    """Memory of this process alone; 0 where the system does not tell (it is not Linux)."""
    if not _STATUS.exists():
        return 0
    lines = _STATUS.read_text().splitlines()
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon")), 0)
