"""A sweep: Tune schedules, Optuna suggests, ASHA prunes, MLflow records, the winner is tested.

The order is the guarantee: trials see the validation split only; when all have ended, the final
runs train on trainval, and each reads the test images once.
"""

import time
from dataclasses import replace

from rich.console import Console
from rich.markup import escape

from drmn.config import Config
from drmn.data.dataset import Dataset, dataset_key, load_dataset
from drmn.data.splits import Split, validation_split
from drmn.errors import DataError
from orchestration.cluster import cluster
from orchestration.data_pictures import log_pictures
from orchestration.finishing import Finishing, SweepResult, write_result
from orchestration.fitting_node import await_fitting_node
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.levels import prepare_levels
from orchestration.notes.of_sweeps import sweep_note
from orchestration.planning.making import make_plan, with_measured_share
from orchestration.planning.plan import Plan, comparison
from orchestration.publishing import check_places, publish_if_wanted
from orchestration.request import SweepRequest
from orchestration.request_file import REQUEST_FILE, check_is_new, save_request, write_request
from orchestration.searcher.warm_start import read_experience
from orchestration.searching import SearchParts, SweepInterruptedError, search
from orchestration.serving.final_model import FinalModel
from orchestration.settings import Settings
from orchestration.stopping.driver import driving
from orchestration.sweep_run import open_sweep_run
from orchestration.tracking import Status, Tracker
from orchestration.trainable import TrialContext
from orchestration.trial_logging import SweepRun, TrialLogger
from orchestration.watching.links import MLFLOW_S, tell_links

EXPERIMENT_PREFIX = "drmn"


def run_sweep(
    request: SweepRequest, settings: Settings, console: Console, *, resume: bool = False
) -> SweepResult:
    """Run ``request`` to its end; with ``resume`` take up what an earlier driver left.

    Raises:
        SweepInterruptedError: trials are left after a signal; the sweep can be resumed.
        StoppedNow: at a second signal; the same.
        ConfigError: another process runs this sweep.
        DataError: the data set cannot be used, or the storage cannot be written.
        ConfigError: the request is infeasible on the cluster at hand.
        TrackingError: MLflow lets nobody in. (If it does not answer, events wait on disk.)
    """
    folder = settings.sweep_folder(request.name)
    with driving(folder, request.name):
        try:
            return _run(request, settings, console, resume=resume)
        except (KeyboardInterrupt, OSError):  # or a disk that is full
            if not (folder / REQUEST_FILE).exists():
                raise
            console.print(f"continue with `drmn runs resume {request.name}`", highlight=False)
            raise


def _run(
    request: SweepRequest, settings: Settings, console: Console, *, resume: bool
) -> SweepResult:
    dataset, started = _checked_dataset(request), time.monotonic()
    request = _with_split(request, validation_split(dataset, request.config.validation))
    if not resume:
        read_experience(request, settings.home / "sweeps")  # refused before anything starts
    console.print(
        f"sweep {request.name}: {request.shown_trials} of up to "
        f"{request.config.training.epochs} epochs on {dataset.name}",
        highlight=False,
    )
    check_places(settings)
    with cluster(settings.ray_address, allow_open=settings.allow_open_ray) as dashboard:
        await_fitting_node(request.resources, settings.node_wait_s, console)
        if not resume:
            check_is_new(request.name, settings.sweep_folder(request.name))
            request = _packed(request, dataset, settings)
        folder = settings.sweep_folder(request.name)
        with Tracker(settings, experiment_name(request), folder) as tracker:
            features = prepare_levels(
                dataset, request.config, settings.cache_root, console, request.features
            )
            (write_request if resume else save_request)(request, folder)
            sweep = _Sweep(request, settings, console, dataset, features, tracker)
            result = sweep.run(dashboard)
    wall_s = None if resume else time.monotonic() - started
    publish_if_wanted(folder, settings, console)
    line = comparison(request, folder, epochs=result.num_epochs, wall_s=wall_s)
    return replace(result, comparison=line)


def plan_sweep(request: SweepRequest, settings: Settings, console: Console) -> Plan:
    """What ``request`` would cost; nothing runs but a calibration. The plan is kept on disk.

    Raises:
        ConfigError: the request cannot be carried out, with the reason.
        DataError: the data set cannot be used.
    """
    dataset = _checked_dataset(request)
    folder = settings.sweep_folder(request.name)
    check_is_new(request.name, folder)
    with (
        cluster(settings.ray_address, allow_open=settings.allow_open_ray),
        console.status("two batches and a short evaluation"),
    ):
        await_fitting_node(request.resources, settings.node_wait_s, console)
        plan = make_plan(_packed(request, dataset, settings), dataset, settings)
    plan.save(folder)
    return plan


def _checked_dataset(request: SweepRequest) -> Dataset:
    dataset = load_dataset(request.config.data.dataset, request.data_root)
    validation_split(dataset, request.config.validation)
    return dataset


def _packed(request: SweepRequest, dataset: Dataset, settings: Settings) -> SweepRequest:
    """``request`` with its share of a GPU measured, if it asks for that."""
    if not request.measure_gpus:
        return request
    return with_measured_share(request, dataset, settings.cache_root)


def _with_split(request: SweepRequest, split: Split) -> SweepRequest:
    """``request``, with the images that choose written down.

    Raises:
        DataError: they are no longer those that the sweep began with.
    """
    if request.split_hash not in ("", split.hash):
        raise DataError(
            f"the split of sweep {request.name!r} was {request.split_hash}, but is {split.hash} "
            f"in {request.data_root}",
            "bring back the data it began with, or begin another sweep",
        )
    return replace(request, split_hash=split.hash)


def experiment_name(request: SweepRequest) -> str:
    """MLflow's experiment: choices made on test are kept in one of their own."""
    dataset = dataset_key(request.config.data.dataset).replace("_", "-")
    return f"{EXPERIMENT_PREFIX}-{dataset}{'-best-on-test' if request.is_best_on_test else ''}"


class _Sweep:
    """The parts that one sweep's steps share."""

    def __init__(
        self,
        request: SweepRequest,
        settings: Settings,
        console: Console,
        dataset: Dataset,
        features: str | None,
        tracker: Tracker,
    ) -> None:
        self._request = request
        self._settings = settings
        self._console = console
        self._dataset = dataset
        self._features = features
        self._folder = settings.sweep_folder(request.name)
        self._ledger = Ledger(self._folder / LEDGER_FILE)
        self._tracker = tracker

    def run(self, dashboard: str) -> SweepResult:
        parent = open_sweep_run(self._tracker, self._request, self._dataset, self._features)
        cache_root = self._settings.cache_root
        log_pictures(self._tracker, parent.run_id, self._dataset, cache_root, self._console)
        place = self._tracker.place(parent.run_id, MLFLOW_S)
        tell_links(self._settings, place, dashboard, self._folder, self._console)
        status = Status.FAILED
        try:
            self._describe(parent)
            self._search(parent)
            self._describe(parent)
            result = self._finishing(parent).run()
            status = Status.FINISHED
        except (SweepInterruptedError, KeyboardInterrupt):
            status = Status.STOPPED
            raise
        finally:
            if status is not Status.FINISHED:
                self._describe(parent)
            self._tracker.close_run(parent.run_id, status)
            outcome = self._tracker.finish()
            if status is not Status.FINISHED and outcome.message:
                self._console.print(outcome.message, style="red", highlight=False)
        self._publish(result, is_sent=not outcome.num_left)  # the runs first, then the model
        write_result(result)
        return replace(
            result, experiment_id=outcome.experiment_id, tracking_trouble=outcome.message
        )

    def _publish(self, result: SweepResult, *, is_sent: bool) -> None:
        model = FinalModel(
            request=self._request,
            dataset=self._dataset,
            features=self._features,
            experiment=experiment_name(self._request),
            result=result,
        )
        with self._console.status("keeping the model"):
            said = model.publish(self._settings, is_sent=is_sent)
        self._console.print(escape(said), highlight=False)

    def _describe(self, parent: SweepRun) -> None:
        """The trials as the ledger has them now."""
        note = sweep_note(self._request, self._ledger.histories())
        self._tracker.describe(parent.run_id, note)

    def _search(self, parent: SweepRun) -> None:
        parts = SearchParts(
            folder=self._folder,
            ledger=self._ledger,
            context=self._context(self._request.config),
            logger=TrialLogger(self._tracker, parent),
        )
        search(self._request, self._settings, self._console, parts)

    def _finishing(self, parent: SweepRun) -> Finishing:
        return Finishing(
            request=self._request,
            console=self._console,
            dataset=self._dataset,
            folder=self._folder,
            ledger=self._ledger,
            tracker=self._tracker,
            parent=parent,
            context=self._context,
        )

    def _context(self, config: Config) -> TrialContext:
        return TrialContext(
            config=config.flat(),
            data_root=str(self._request.data_root),
            features=self._features,
            num_threads=max(1, int(self._request.resources.cpus)),
            on_gpu=self._request.resources.gpus > 0 and not self._settings.pretend_gpus,
            store_wait_s=self._settings.store_wait_s,
        )
