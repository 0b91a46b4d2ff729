"""All trials of a sweep through Ray Tune."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import optuna
from ray import tune
from ray.tune import TuneError
from ray.tune.experiment import Trial

from drmn.config_tree import Scalar
from drmn.errors import DrmnError
from orchestration.checkpoints import TRIAL_FOLDER, attempt_name, tune_storage
from orchestration.cluster import Capacity
from orchestration.events import TrialEvents, trial_name
from orchestration.pruning.scheduler import RuleScheduler
from orchestration.request import SweepRequest
from orchestration.retention import KeepCheckpoints
from orchestration.retrying import MAX_LOSSES
from orchestration.searcher.asking import OptunaSearcher
from orchestration.settings import Settings
from orchestration.stopping.brake import Brake
from orchestration.stopping.holding import HoldingSearcher, Watch
from orchestration.trainable import DrmnTrainable, TrialContext


def run_trials(
    request: SweepRequest,
    settings: Settings,
    context: TrialContext,
    *,
    attempt: int,
    study: optuna.Study,
    scheduler: RuleScheduler,
    watch: Watch,
    brake: Brake,
    unfinished: Mapping[str, Sequence[str]],
    changed: Mapping[str, Mapping[str, Scalar]],
    events: TrialEvents,
    trainable: type[tune.Trainable] = DrmnTrainable,
) -> None:
    """Run them to their ends; ``events`` tells of each, nothing is returned."""
    keeper = KeepCheckpoints(request.retention, request.objective)
    searcher = OptunaSearcher(study, request, unfinished, changed)
    limit = Capacity(request.resources, request.max_concurrent)
    tuner = tune.Tuner(
        tune.with_resources(
            tune.with_parameters(trainable, context=context),
            {"cpu": request.resources.cpus, "gpu": request.resources.gpus},
        ),
        tune_config=tune.TuneConfig(
            search_alg=HoldingSearcher(searcher, brake, limit),
            scheduler=scheduler,
            num_samples=-1,
            reuse_actors=True,
            trial_dirname_creator=_folder_name,
        ),
        run_config=tune.RunConfig(
            name=attempt_name(request.key, attempt),
            **tune_storage(settings.sweep_storage, settings.store_attempts),
            verbose=0,
            callbacks=[watch, keeper, events],
            failure_config=tune.FailureConfig(max_failures=MAX_LOSSES),
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1),
        ),
    )
    with own_errors():
        tuner.fit()


@contextmanager
def own_errors() -> Iterator[None]:
    """Tune gives an error of the driver's own books as a TuneError with a traceback for text.

    Raises:
        DrmnError: the error itself; or an OSError, of a disk.
    """
    try:
        yield
    except TuneError as error:
        if isinstance(error.__context__, DrmnError | OSError):
            raise error.__context__ from None
        raise


def _folder_name(trial: Trial) -> str:
    return TRIAL_FOLDER.format(trial=trial_name(trial))
