"""The trainings of a study through Ray Tune: packed over the cluster, kept as each one ends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial

from drmn.config_tree import Scalar
from drmn.names import EPOCH
from orchestration.checkpoints import check_writable, tune_storage
from orchestration.provenance.machine import HOST, MACHINE
from orchestration.provenance.tags import machine_tags
from orchestration.request import Resources
from orchestration.retrying import MAX_LOSSES, LossTolerantScheduler
from orchestration.study.definition import Run
from orchestration.study.files import (
    EXPLANATION_FILE,
    LOGITS_FILE,
    StudyFolder,
    TrainingResult,
)
from orchestration.study.training import (
    DURATION,
    WEIGHTS_HASH,
    TrainingContext,
    run_training,
)
from orchestration.tracking import Tag

Ended = Callable[["Training", TrainingResult | None, str], None]
"""Told of each training's end: its result, or None and the reason."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """A training that is wanted, and the first run that wants it."""

    key: str
    run: Run

    @property
    def label(self) -> str:
        return f"{self.run.dataset} {self.run.row} seed {self.run.seed}"


def run_trainings(
    trainings: list[Training],
    context: TrainingContext,
    *,
    folder: StudyFolder,
    tags: Mapping[str, Mapping[str, str]],
    storage: str,
    name: str,
    resources: Resources,
    max_concurrent: int | None,
    ended: Ended,
) -> None:
    """Run them all; each is on disk before ``ended`` is told of it.

    Args:
        tags: provenance per data set.
        storage: Tune's, a folder that all nodes see or an s3:// URI.
        name: of Tune's experiment, new each time: what is unfinished starts again.

    Raises:
        StoreError: the storage cannot be written.
    """
    check_writable(storage)
    keeper = _Keeper({each.key: each for each in trainings}, folder, tags, ended)
    space = [{"key": each.key, "flat": each.run.config.flat()} for each in trainings]
    tune.Tuner(
        tune.with_resources(
            tune.with_parameters(_train, context=context),
            {"cpu": resources.cpus, "gpu": resources.gpus},
        ),
        param_space={"training": tune.grid_search(space)},
        tune_config=tune.TuneConfig(
            scheduler=LossTolerantScheduler(),
            max_concurrent_trials=max_concurrent,  # None: as many as fit, also on nodes to come
            reuse_actors=True,
            trial_dirname_creator=_folder_name,
        ),
        run_config=tune.RunConfig(
            name=name,
            **tune_storage(storage),
            verbose=0,
            callbacks=[keeper],
            failure_config=tune.FailureConfig(max_failures=MAX_LOSSES),
        ),
    ).fit()


def _train(config: dict[str, Any], context: TrainingContext) -> None:
    run_training(config["training"]["flat"], context)


def _folder_name(trial: Trial) -> str:
    return str(trial.config["training"]["key"])


class _Keeper(tune.Callback):
    """Tune's callback that gathers epochs and takes over what a training leaves."""

    def __init__(
        self,
        trainings: dict[str, Training],
        folder: StudyFolder,
        tags: Mapping[str, Mapping[str, str]],
        ended: Ended,
    ) -> None:
        self._trainings = trainings
        self._folder = folder
        self._tags = tags
        self._ended = ended
        self._epochs: dict[str, dict[int, dict[str, float]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its callbacks; connections and open files stay behind."""
        return {}

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **_: Any
    ) -> None:
        """Tune's hook."""
        epochs = self._epochs.setdefault(_folder_name(trial), {})
        epochs[int(result[EPOCH])] = {k: float(v) for k, v in result.items() if "/" in k}

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **_: Any
    ) -> None:
        """Tune's hook."""
        key = _folder_name(trial)
        if trial.checkpoint is None:
            self._ended(self._trainings[key], None, "it ended without its last report")
            return
        result = self._result(key, trial.last_result)
        with trial.checkpoint.as_directory() as files:
            if not all((Path(files) / name).is_file() for name in (LOGITS_FILE, EXPLANATION_FILE)):
                self._ended(self._trainings[key], None, "its files did not reach the storage")
                return
            self._folder.keep(key, Path(files), result)
        self._ended(self._trainings[key], result, "")

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        """Tune's hook."""
        reason = str(trial.get_error() or "unknown error").strip().splitlines()[-1]
        self._ended(self._trainings[_folder_name(trial)], None, reason)

    def _result(self, key: str, last: Mapping[str, Any]) -> TrainingResult:
        run = self._trainings[key].run
        epochs = self._epochs.pop(key)
        flat: dict[str, Scalar] = run.config.flat()
        return TrainingResult(
            dataset=run.dataset,
            seed=run.seed,
            config=flat,
            history=[epochs[epoch] for epoch in sorted(epochs)],
            duration_s=float(last[DURATION]),
            host=str(last[MACHINE][HOST]),
            tags={
                **self._tags[run.dataset],
                **machine_tags(last[MACHINE]),
                Tag.WEIGHTS_HASH: str(last[WEIGHTS_HASH]),
            },
        )
