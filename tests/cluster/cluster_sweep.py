"""A small sweep as a job of the cluster, and the checks that it is none the worse for a failure."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from job_api import JobApi, wait_until
from mlflow import MlflowClient
from ray.tune.result import NODE_IP

from orchestration.events import SINCE
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.repair.reconciling import reconcile
from orchestration.repair.truth import Difference
from orchestration.request_file import load_request
from orchestration.searcher.storage import STUDY_FILE, close_storage, open_storage
from orchestration.settings import Settings
from orchestration.sweep import experiment_name
from orchestration.tracking import Tag

NUM_TRIALS, NUM_EPOCHS = 3, 6
OPTIONS = [
    *("--dataset", "sprites", "--trials", str(NUM_TRIALS), "--epochs", str(NUM_EPOCHS)),
    *("--set", "training.steps_per_epoch=10", "--set", "data.image_size=32"),
    *("--pruner", "none", "--sampler", "random", "--final-seeds", "1", "--no-paper-final"),
]
"""Nothing in it depends on the order in which trials end."""
TWO_AT_ONCE = ["--gpus-per-trial", "1", "--max-concurrent", "2"]
"""Leaves each of two workers room for what the other loses."""
FIRST_EPOCHS = 4
"""Of all trials, before anything is disturbed or timed."""
LIMIT_S = 150.0
_LOG_TAIL = 4000
"""Characters of what its job has printed, shown where it fails."""


@dataclass(frozen=True, kw_only=True)
class TakenUp:
    """A process began or went on with ``trial``, of which ``known`` epochs had been reported."""

    trial: str
    known: int
    since: int
    node: str

    @property
    def num_repeated(self) -> int:
        """Epochs that were reported and are trained once more."""
        return self.known - self.since


@dataclass(kw_only=True)
class ClusterSweep:
    """The sweep ``name``; its driver's files are in ``settings.home``."""

    name: str
    ray: JobApi
    settings: Settings
    jobs: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.settings.sweep_folder(self.name)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder / LEDGER_FILE)

    def submit(self, *options: str) -> None:
        """Begin it."""
        self.jobs.append(self.ray.submit("drmn-sweep", *OPTIONS, "--name", self.name, *options))

    def resume(self) -> None:
        """The one command that goes on after the loss of the driver."""
        self.jobs.append(self.ray.submit("drmn", "runs", "resume", self.name))

    def taken_up(self) -> list[TakenUp]:
        """Each time that a process began or went on with a trial, from the ledger's lines."""
        found: list[TakenUp] = []
        known: dict[str, int] = {}
        last: dict[str, tuple[int, str]] = {}
        for line in (self.folder / LEDGER_FILE).read_text().splitlines():
            entry = json.loads(line)
            if "epoch" not in entry:
                continue
            trial, now = entry["trial"], (entry[SINCE], entry[NODE_IP])
            if last.get(trial) != now:
                found.append(
                    TakenUp(trial=trial, known=known.get(trial, 0), since=now[0], node=now[1])
                )
            known[trial], last[trial] = entry["epoch"], now
        return found

    def nodes(self) -> dict[str, str]:
        """Of each trial that has epochs left, the address where it last ended one."""
        last = {each.trial: each.node for each in self.taken_up()}
        return {name: last[name] for name, epoch in self.unfinished().items() if epoch}

    def num_epochs(self) -> dict[str, int]:
        """Of each trial that was begun, the last epoch that has been reported."""
        return {name: each.last_epoch for name, each in self.ledger.histories().items()}

    def unfinished(self) -> dict[str, int]:
        """Of trials that have epochs left."""
        under_way = {n: each for n, each in self.ledger.histories().items() if not each.is_over}
        epochs = {name: each.last_epoch for name, each in under_way.items()}
        return {name: epoch for name, epoch in epochs.items() if epoch < NUM_EPOCHS}

    def await_epochs(self, number: int) -> None:
        """Until so many were reported, and two trials that have some are under way."""

        def are_there() -> bool:
            epochs, under_way = self.num_epochs(), self.unfinished()
            return sum(epochs.values()) >= number and sum(map(bool, under_way.values())) >= 2

        self.wait_until(are_there, f"{number} epochs of {self.name}")

    def await_progress(self, before: dict[str, int]) -> float:
        """Until each of those trials has ended another epoch; the seconds that it took."""

        def have_gone_on() -> bool:
            now = self.num_epochs()
            return all(now[name] > epoch for name, epoch in before.items())

        return self.wait_until(have_gone_on, f"{before} go on in {self.name}")

    def await_end(self) -> None:
        """Until its job has succeeded."""
        self.wait_until(self._has_succeeded, f"the end of {self.name}")

    def wait_until(self, is_so: Callable[[], object], what: str) -> float:
        """Poll until ``is_so``, unless its job fails; the seconds that it took."""

        def holds() -> object:
            self._check_job()
            return is_so()

        try:
            return wait_until(holds, what, LIMIT_S)
        except AssertionError as error:
            error.add_note(self.log()[-_LOG_TAIL:])
            raise

    def log(self) -> str:
        """What its newest job has printed."""
        return self.ray.job_log(self.jobs[-1])

    def _check_job(self) -> None:
        status = self.ray.job_status(self.jobs[-1])
        assert status in ("PENDING", "RUNNING", "SUCCEEDED"), f"its job has {status}"

    def _has_succeeded(self) -> bool:
        return self.ray.job_status(self.jobs[-1]) == "SUCCEEDED"

    def result(self) -> dict[str, Any]:
        """What it found, without its name and what a clock told."""
        result: dict[str, Any] = json.loads((self.folder / "result.json").read_text())
        del result["sweep"]
        for key in [key for key in result["validation"] if key.startswith(("time/", "cost/"))]:
            del result["validation"][key]
        return result

    def differences(self) -> list[Difference]:
        """Between ledger, Optuna, MLflow and Tune."""
        request = load_request(self.folder)
        return reconcile(request, self.settings, experiment_name(request), dry_run=True)

    def check_books(self) -> None:
        """Each trial asked has finished, is in every book once, and nothing is left RUNNING."""
        assert self.num_epochs() == {f"{n:04}": NUM_EPOCHS for n in range(NUM_TRIALS)}
        assert self.differences() == []
        self._check_optuna()
        self._check_mlflow()

    def _check_optuna(self) -> None:
        storage = open_storage(self.settings.study_storage, self.folder / STUDY_FILE)
        study = optuna.load_study(study_name=load_request(self.folder).key, storage=storage)
        trials = study.trials
        close_storage(storage)
        assert [trial.state.name for trial in trials] == ["COMPLETE"] * NUM_TRIALS
        assert len({tuple(trial.params.items()) for trial in trials}) == NUM_TRIALS

    def _check_mlflow(self) -> None:
        client = MlflowClient(self.settings.tracking_uri)
        experiment = client.get_experiment_by_name("drmn-sprites")
        assert experiment is not None
        found = client.search_runs(
            [experiment.experiment_id], f"tags.`{Tag.SWEEP}` = '{self.name}'"
        )
        kinds = Counter(run.data.tags[Tag.KIND] for run in found)
        assert kinds == {"sweep": 1, "trial": NUM_TRIALS, "final": 1, "final-seed": 1}
        assert {run.info.status for run in found} == {"FINISHED"}
