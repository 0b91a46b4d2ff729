"""A plan: what a request will cost on the cluster at hand, and a file to compare the sweep with."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from drmn.atomic import replacing
from drmn.errors import ConfigError
from drmn.reading import reading
from orchestration.planning.calibration import Calibration
from orchestration.planning.disk import free_bytes
from orchestration.planning.expectation import Expectation
from orchestration.request import SweepRequest
from orchestration.stopping.budget import Budget

PLAN_FILE = "plan.json"


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where files go, and how large they are.

    Args:
        store: folder of the feature store; None where the backbone is trained.
        store_bytes: its size, or its size to be.
        store_exists: whether it is there.
        checkpoints: where trials keep theirs.
        num_checkpoints: that stay, two a trial.
    """

    store: str | None
    store_bytes: int
    store_exists: bool
    checkpoints: str
    num_checkpoints: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Expected costs; seconds are of this cluster as busy as it was.

    Args:
        request: hash of what was planned.
        name: of the sweep.
        num_trials: as asked for, or as many as the budget is expected to let.
        is_open_ended: whether only the budget ends the search.
        concurrency: trials at once.
        gpus: that one trial holds.
        fit_in_memory: trials that the nodes' memory takes at once.
        fit_on_gpus: trials per GPU by measured memory; None without one.
        num_final_runs: on trainval.
        worker_start_s: from asking for a process to its first line.
    """

    request: str
    name: str
    num_trials: int
    is_open_ended: bool
    max_epochs: int
    concurrency: int
    gpus: float
    fit_in_memory: int
    fit_on_gpus: int | None
    num_final_runs: int
    num_images: int
    worker_start_s: float
    rungs: tuple[tuple[int, float], ...]
    pruned: Expectation
    unpruned: Expectation
    measured: Calibration
    places: Places

    def search_s(self, expected: Expectation) -> float:
        """Wall time of the trials."""
        rounds = self.num_trials / self.concurrency
        return (
            self.worker_start_s
            + rounds * self.measured.opening_s
            + expected.span * self.measured.epoch_s
        )

    @property
    def final_s(self) -> float:
        """Wall time of the final runs, were the winner's best epoch the last."""
        rounds = -(-self.num_final_runs // self.concurrency)
        return self.worker_start_s + rounds * self.measured.final_s(self.max_epochs)

    @property
    def extraction_s(self) -> float:
        """To make the feature store, reading the images aside; 0 where it is there."""
        return self.num_images * self.measured.extraction_s

    def wall_s(self, expected: Expectation) -> float:
        """From start to result."""
        return self.extraction_s + self.search_s(expected) + self.final_s

    def gpu_hours(self, expected: Expectation) -> float:
        """That trials and final runs hold."""
        trials_s = expected.epochs * self.measured.epoch_s
        finals_s = self.num_final_runs * self.measured.final_s(self.max_epochs)
        return self.gpus * (trials_s + finals_s) / 3600

    @property
    def checkpoints_bytes(self) -> int:
        """All that stay."""
        return self.places.num_checkpoints * self.measured.checkpoint_bytes

    def content(self) -> dict[str, Any]:
        """For machines: everything above, computed values included."""
        store = self.places.store
        return {
            **asdict(self),
            "epoch_s": self.measured.epoch_s,
            "wall_s": self.wall_s(self.pruned),
            "wall_unpruned_s": self.wall_s(self.unpruned),
            "search_s": self.search_s(self.pruned),
            "final_s": self.final_s,
            "extraction_s": self.extraction_s,
            "gpu_hours": self.gpu_hours(self.pruned),
            "gpu_hours_unpruned": self.gpu_hours(self.unpruned),
            "checkpoints_bytes": self.checkpoints_bytes,
            "store_free_bytes": None if store is None else free_bytes(store),
            "checkpoints_free_bytes": free_bytes(self.places.checkpoints),
        }

    def save(self, folder: Path) -> None:
        """Write ``plan.json``."""
        with replacing(folder / PLAN_FILE) as temporary:
            temporary.write_text(json.dumps(self.content(), indent=1) + "\n")


def fingerprint(request: SweepRequest) -> str:
    """Equal for requests that cost the same: the name, for one, is left out."""
    parts = [
        request.config.hash(),
        sorted(request.space),
        request.num_trials,
        asdict(request.pruning),
        request.resources.cpus,
        "measured" if request.measure_gpus else request.resources.gpus,
        request.max_concurrent,
        request.final_seeds,
        request.paper_final,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def check_budget(budget: Budget, plan: Plan) -> None:
    """Raise where a budget ends before one trial does.

    Raises:
        ConfigError: it does.
    """
    trial_s = plan.measured.opening_s + plan.max_epochs * plan.measured.epoch_s
    needed = {"wall": plan.worker_start_s + trial_s, "GPU": plan.gpus * trial_s}
    for kind, given_h in (("wall", budget.wall_h), ("GPU", budget.gpu_h)):
        if given_h is not None and needed[kind] > 3600 * given_h:
            raise ConfigError(
                f"the {kind} budget is {shown_time(3600 * given_h)}, but one trial of "
                f"{plan.max_epochs} epochs needs {shown_time(needed[kind])}",
                "give a larger --budget or fewer --epochs",
            )


def comparison(request: SweepRequest, folder: Path, *, epochs: int, wall_s: float | None) -> str:
    """Planned against real in one line; "" where this request was not planned.

    Args:
        folder: of the sweep.
        epochs: that its trials trained.
        wall_s: of the whole sweep; None where an earlier driver did a part of it.

    Raises:
        DataError: ``plan.json`` is damaged.
    """
    path = folder / PLAN_FILE
    if not path.exists():
        return ""
    with reading(path, "a plan", "remove the file"):
        content = json.loads(path.read_text())
        epochs_s = float(content["pruned"]["epochs"]), float(content["wall_s"])
        planned = (*epochs_s, content["request"])
    if planned[2] != fingerprint(request):
        return ""
    line = f"planned {planned[0]:.0f} epochs, real {epochs}"
    if wall_s is None:
        return line
    return f"{line}; planned {shown_time(planned[1])}, real {shown_time(wall_s)}"


def shown_time(seconds: float) -> str:
    """``45 s``, ``12.5 min`` or ``3.2 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
