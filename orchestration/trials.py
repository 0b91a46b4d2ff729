"""All trials of a sweep through Ray Tune."""

from collections.abc import Sequence

from ray import tune
from ray.tune.experiment import Trial

from orchestration.cluster import default_concurrency
from orchestration.events import TrialEvents, TrialObserver, trial_name
from orchestration.pruning import AshaScheduler, SuccessiveHalving
from orchestration.request import SweepRequest
from orchestration.search import OptunaSearcher, create_study, open_storage
from orchestration.settings import Settings
from orchestration.trainable import DrmnTrainable, TrialContext


def run_trials(
    request: SweepRequest,
    settings: Settings,
    context: TrialContext,
    observers: Sequence[TrialObserver],
) -> None:
    """Run them to their ends; observers are told of each, nothing is returned."""
    tuner = tune.Tuner(
        tune.with_resources(
            tune.with_parameters(DrmnTrainable, context=context),
            {"cpu": request.resources.cpus, "gpu": request.resources.gpus},
        ),
        tune_config=tune.TuneConfig(
            search_alg=_searcher(request, settings),
            scheduler=_scheduler(request, settings),
            num_samples=-1,
            max_concurrent_trials=request.max_concurrent or default_concurrency(request.resources),
            reuse_actors=True,
            trial_dirname_creator=_folder_name,
        ),
        run_config=tune.RunConfig(
            name=request.name,
            storage_path=settings.sweep_storage,
            verbose=0,
            callbacks=[TrialEvents(observers, num_epochs=request.config.training.epochs)],
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1, num_to_keep=2),
        ),
    )
    tuner.fit()


def _searcher(request: SweepRequest, settings: Settings) -> OptunaSearcher:
    folder = settings.sweep_folder(request.name)
    storage = open_storage(settings.study_storage, folder / "study.journal")
    return OptunaSearcher(
        create_study(request.name, storage, seed=request.seed, num_trials=request.num_trials),
        request.space,
        num_trials=request.num_trials,
        num_epochs=request.config.training.epochs,
        metric=request.objective,
        first=request.paper_values,
    )


def _scheduler(request: SweepRequest, settings: Settings) -> AshaScheduler:
    rule = SuccessiveHalving(
        grace_period=request.pruning.grace_period,
        reduction_factor=request.pruning.reduction_factor,
        max_epochs=request.config.training.epochs,
    )
    state_file = settings.sweep_folder(request.name) / "asha.json"
    return AshaScheduler(rule, request.objective, state_file)


def _folder_name(trial: Trial) -> str:
    return f"trial_{trial_name(trial)}"
