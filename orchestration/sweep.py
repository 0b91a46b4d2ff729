"""A sweep: Tune schedules, Optuna suggests, ASHA prunes, MLflow records, the winner is tested.

The order is the guarantee: trials see the validation split only; when all have ended, ONE final
run trains the winner on trainval and ONE evaluation reads the test images.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from drmn.atomic import replacing
from drmn.config import Config
from drmn.data.dataset import Dataset, load_dataset
from drmn.data.splits import test_split, validation_split
from drmn.names import BETA_EXACT, phased
from orchestration.cluster import check_feasible, cluster
from orchestration.events import Fate
from orchestration.final import SCORES_FILE, FinalResult, final_config, run_final
from orchestration.final_logging import log_final
from orchestration.ledger import LEDGER_FILE, Ledger, Winner
from orchestration.levels import prepare_levels, weights_hash
from orchestration.provenance import code_tags, command_line, data_tags
from orchestration.request import SweepRequest
from orchestration.request_file import check_is_new, save_request
from orchestration.searching import SearchParts, search
from orchestration.settings import Settings
from orchestration.tracking import Status, Tag, Tracker
from orchestration.trainable import TrialContext
from orchestration.trial_logging import SweepRun, TrialLogger

EXPERIMENT_PREFIX = "drmn"
RESULT_FILE = "result.json"
"""Written last of all: a sweep that has it is done."""
FINAL_FOLDER = "final"


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """What a sweep found; scores are fractions."""

    name: str
    experiment_id: str
    run_id: str
    folder: Path
    winner: Winner
    final_config: Config
    final: FinalResult
    fates: dict[str, Fate]
    protocol: str
    """"validation", or "best-on-test" where choices were made on test images."""
    tracking_trouble: str
    """What MLflow did not take; "" where it has everything."""


def run_sweep(
    request: SweepRequest, settings: Settings, console: Console, *, resume: bool = False
) -> SweepResult:
    """Run ``request`` to its end; with ``resume`` take up what an earlier driver left.

    Raises:
        SweepInterruptedError: trials are left; the sweep can be resumed.
        DataError: the data set cannot be used.
        ConfigError: the request is infeasible on the cluster at hand.
        TrackingError: MLflow refuses.
    """
    dataset = load_dataset(request.config.data.dataset, request.data_root)
    validation_split(dataset, request.config.validation)
    console.print(
        f"sweep {request.name}: {request.num_trials} trials of up to "
        f"{request.config.training.epochs} epochs on {dataset.name}",
        highlight=False,
    )
    with cluster(settings.ray_address):
        check_feasible(request.resources)
        if not resume:
            check_is_new(request.name, settings.sweep_folder(request.name))
        tracker = Tracker(settings, _experiment(request, dataset))
        features = prepare_levels(dataset, request.config, settings.cache_root, console)
        if not resume:
            save_request(request, settings.sweep_folder(request.name))
        return _Sweep(request, settings, console, dataset, features, tracker).run()


def _experiment(request: SweepRequest, dataset: Dataset) -> str:
    """Choices made on test are kept in an experiment of their own."""
    suffix = "-best-on-test" if request.is_best_on_test else ""
    return f"{EXPERIMENT_PREFIX}-{dataset.name}{suffix}"


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

    def run(self) -> SweepResult:
        parent = self._open_parent()
        status = Status.FAILED
        try:
            trouble = self._search(parent)
            result = self._finish(parent, trouble)
            status = Status.FINISHED
        finally:
            self._tracker.close_run(parent.run_id, status)
        _write_result(result)
        return result

    def _open_parent(self) -> SweepRun:
        request = self._request
        split = validation_split(self._dataset, request.config.validation)
        tags = {
            **code_tags(request.config, request.variant),
            **data_tags(self._dataset, split),
            Tag.SWEEP: request.name,
        }
        if self._features is not None:
            tags[Tag.WEIGHTS_HASH] = weights_hash(self._features)
        parent_tags = {**tags, Tag.KIND: "sweep", Tag.COMMAND: command_line()}
        run_id = self._tracker.open_run(request.key, f"sweep {request.name}", parent_tags)
        self._tracker.log_params(run_id, request.config.flat())
        return SweepRun(run_id=run_id, sweep=request.key, tags=tags, config=request.config)

    def _search(self, parent: SweepRun) -> str:
        logger = TrialLogger(self._tracker, parent)
        parts = SearchParts(
            folder=self._folder,
            ledger=self._ledger,
            context=self._context(self._request.config),
            logger=logger,
        )
        try:
            search(self._request, self._settings, self._console, parts)
        finally:
            trouble = logger.finish()
        return trouble

    def _finish(self, parent: SweepRun, trouble: str) -> SweepResult:
        winner = self._ledger.winner(self._request.objective)
        config = final_config(
            self._request.config,
            winner.overrides,
            epochs=winner.epoch,
            beta=winner.metrics[phased("val", BETA_EXACT)],
        )
        final = self._final(config)
        if not self._tracker.last_step(parent.run_id, self._request.objective):
            self._tracker.log_metrics(parent.run_id, winner.metrics, winner.epoch)
        tags = data_tags(self._dataset, test_split(self._dataset))
        if self._request.is_best_on_test:
            tags[Tag.PROTOCOL] = self._request.config.validation.protocol
        log_final(self._tracker, parent, config, final, tags)
        return SweepResult(
            name=self._request.name,
            experiment_id=self._tracker.experiment_id,
            run_id=parent.run_id,
            folder=self._folder,
            winner=winner,
            final_config=config,
            final=final,
            fates=self._ledger.fates(),
            protocol=self._request.config.validation.protocol,
            tracking_trouble=trouble,
        )

    def _final(self, config: Config) -> FinalResult:
        """The one final run: an earlier driver's where it got that far."""
        folder = self._folder / FINAL_FOLDER
        if (folder / SCORES_FILE).exists():
            return FinalResult.load(folder)
        with self._console.status("training the winner on trainval, then one test evaluation"):
            final = run_final(self._context(config), self._request.resources)
        final.save(folder)
        return final

    def _context(self, config: Config) -> TrialContext:
        return TrialContext(
            config=config.flat(),
            data_root=str(self._request.data_root),
            features=self._features,
            num_threads=max(1, int(self._request.resources.cpus)),
            on_gpu=self._request.resources.gpus > 0,
        )


def _write_result(result: SweepResult) -> None:
    content = {
        "sweep": result.name,
        "protocol": result.protocol,
        "winner": {"trial": result.winner.trial, "epoch": result.winner.epoch},
        "config": result.final_config.flat(),
        "validation": result.winner.metrics,
        "test": result.final.scores,
        "fates": {trial: fate.value for trial, fate in result.fates.items()},
    }
    with replacing(result.folder / RESULT_FILE) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
