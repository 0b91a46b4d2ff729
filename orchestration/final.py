"""The winner's one training on all of trainval and its one evaluation on test."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import ray
import torch

from drmn.atomic import replacing
from drmn.config import Config
from drmn.config_tree import Scalar
from drmn.data.dataset import load_dataset
from drmn.data.splits import test_split
from drmn.errors import DrmnError
from drmn.metrics import score
from drmn.training import Trainer
from orchestration.levels import open_levels
from orchestration.request import Resources
from orchestration.trainable import TrialContext

SCORES_FILE = "scores.json"


@dataclass(frozen=True, kw_only=True)
class FinalResult:
    """What the final run leaves: scores as fractions, losses per epoch, files by name."""

    scores: dict[str, float]
    history: list[dict[str, float]]
    files: dict[str, bytes]

    def save(self, folder: Path) -> None:
        """Each file whole; ``scores.json`` last, so that its presence means all are there."""
        for name, content in self.files.items():
            with replacing(folder / name) as temporary:
                temporary.write_bytes(content)
        with replacing(folder / SCORES_FILE) as temporary:
            temporary.write_text(json.dumps({"scores": self.scores, "history": self.history}))

    @classmethod
    def load(cls, folder: Path) -> "FinalResult":
        """Inverse of :meth:`save`."""
        content = json.loads((folder / SCORES_FILE).read_text())
        files = {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.name != SCORES_FILE}
        return cls(scores=content["scores"], history=content["history"], files=files)


def run_final(context: TrialContext, resources: Resources) -> FinalResult:
    """Train on trainval and evaluate on test once, wherever the cluster has room.

    Raises:
        DrmnError: what the training raised on its node, as if it had run here.
    """
    task = ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus, max_retries=1)(_run)
    try:
        result: FinalResult = ray.get(task.remote(context))
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, DrmnError):
            raise error.cause from None
        raise
    return result


def _run(context: TrialContext) -> FinalResult:
    torch.set_num_threads(context.num_threads)
    config = Config.from_flat(context.config)
    dataset = load_dataset(config.data.dataset, Path(context.data_root))
    source = open_levels(dataset, config, context.features)
    trainer = Trainer(config, test_split(dataset), source, device=context.device)
    history = [trainer.train_epoch(evaluate=False).metrics for _ in range(config.training.epochs)]
    logits = trainer.evaluate()
    with tempfile.TemporaryDirectory(prefix="drmn-final-") as name:
        folder = Path(name)
        trainer.save(folder)
        logits.save(folder / "logits.parquet")
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    return FinalResult(scores=score(logits, config.inference), history=history, files=files)


def final_config(
    config: Config, overrides: dict[str, Scalar], *, epochs: int, beta: float
) -> Config:
    """The winner's configuration for its final run.

    ``epochs`` is the winner's best epoch on validation; ``beta`` its exact best there: neither
    saw a test image.
    """
    return config.with_overrides({**overrides, "training.epochs": epochs, "inference.beta": beta})
