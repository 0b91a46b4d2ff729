"""From a request to a study that is complete on disk and in MLflow.

What has a result is not run again; what was cut short starts again. Nothing is chosen here: with
the part "test" every row trains on trainval with settings fixed beforehand, and reads the test
images once per training.
"""

import datetime as dt
from dataclasses import replace
from functools import partial

from rich.console import Console

from drmn.config import Config
from drmn.data.dataset import Dataset, load_dataset
from drmn.data.splits import Split
from drmn.errors import DrmnError
from drmn.names import GZSL_HARMONIC
from orchestration.cluster import cluster
from orchestration.data_pictures import log_pictures
from orchestration.fitting_node import await_fitting_node
from orchestration.levels import prepare_levels
from orchestration.provenance.data_input import data_input
from orchestration.provenance.machine import drivers_machine
from orchestration.provenance.origin_files import log_origin
from orchestration.provenance.tags import code_tags, command_line, data_tags, machine_tags
from orchestration.settings import Settings
from orchestration.study.definition import Run
from orchestration.study.files import StudyFolder, StudyRecord, TrainingResult
from orchestration.study.mlflow_runs import StudyOrigin, StudyRuns, known_scores
from orchestration.study.publishing import experiment
from orchestration.study.recording import open_record
from orchestration.study.request import StudyRequest
from orchestration.study.search_runs import SearchRuns
from orchestration.study.training import TrainingContext, features_key, study_split
from orchestration.study.trials import Training, run_trainings
from orchestration.study.tuning import tune_rows
from orchestration.tracking import Status, Tag, Tracker


def run_study(request: StudyRequest, settings: Settings, console: Console) -> StudyFolder:
    """Run what is missing of ``request``.

    Raises:
        ConfigError: the study exists with other settings, or does not fit the cluster.
        DataError: a data set cannot be used.
        DrmnError: trainings failed; the others are kept.
    """
    datasets = {name: load_dataset(name, request.data_root) for name in request.bases}
    folder = StudyFolder(settings.study_folder(request.name))
    record = open_record(request, folder, datasets)
    work = _Work(request, settings, console, folder, datasets)
    with cluster(settings.ray_address, allow_open=settings.allow_open_ray):
        await_fitting_node(request.resources, settings.node_wait_s, console)
        work.run(work.tune(record) if request.tune_each else record)
    return folder


class _Work:
    """The parts that one study's steps share."""

    def __init__(
        self,
        request: StudyRequest,
        settings: Settings,
        console: Console,
        folder: StudyFolder,
        datasets: dict[str, Dataset],
    ) -> None:
        self._request = request
        self._settings = settings
        self._console = console
        self._folder = folder
        self._datasets = datasets
        self._features: dict[str, str | None] = {}
        self._wanting: dict[str, list[Run]] = {}
        self._failures: list[str] = []
        self._num_left = 0

    def tune(self, record: StudyRecord) -> StudyRecord:
        """Give every row its search, where it has had none yet."""
        for dataset in self._request.bases:
            record = self._tune(record, dataset)
        return record

    def _tune(self, record: StudyRecord, dataset: str) -> StudyRecord:
        request, base = self._request, self._request.bases[dataset]
        self._prepare(base)
        features, tuned = self._features[features_key(base)], record.tuned
        open_runs = partial(self._open_runs, record, dataset, self._tags(dataset))
        runs, status = SearchRuns(open_runs, self._datasets[dataset], features), Status.STOPPED
        settings, console = self._settings, self._console
        try:
            for found in tune_rows(request, settings, console, base, features, tuned, runs):
                record = replace(
                    record,
                    tuned={**record.tuned, **dict.fromkeys(found.rows, found.overrides)},
                    searches={**record.searches, **dict.fromkeys(found.rows, found.search)},
                )
                self._folder.write_record(record)
            status = Status.FINISHED
        finally:
            self._tell(runs.close(status))
        return record

    def _tell(self, message: str) -> None:
        """What MLflow does not have, if anything."""
        if message:
            self._console.print(message, style="red", highlight=False, markup=False)

    def run(self, record: StudyRecord) -> None:
        """Train what is missing on the data sets that were asked for, log what is not logged."""
        runs = [r for r in record.runs(self._request.rows) if r.dataset in self._datasets]
        for run in runs:
            key = run.training_key(record.splits[run.dataset])
            self._wanting.setdefault(key, []).append(run)
        missing = [
            Training(key=key, run=wanting[0])
            for key, wanting in self._wanting.items()
            if not self._folder.is_done(key)
        ]
        self._console.print(
            f"study {self._request.name}: {len(runs)} runs from {len(self._wanting)} trainings, "
            f"{len(self._wanting) - len(missing)} of them done already",
            highlight=False,
        )
        for training in missing:
            self._prepare(training.run.config)
        self._run_logged(record, missing)

    def _run_logged(self, record: StudyRecord, missing: list[Training]) -> None:
        tags = {name: self._tags(name) for name in self._datasets}
        mlflow_runs = {name: self._open_runs(record, name, tags[name]) for name in self._datasets}
        status = Status.FAILED
        try:
            self._log_done(mlflow_runs)
            if missing:
                self._train(missing, tags, mlflow_runs)
            status = Status.FAILED if self._failures else Status.FINISHED
        finally:
            for runs in mlflow_runs.values():
                self._tell(runs.close(status))
        if self._failures:
            raise DrmnError(
                f"{len(self._failures)} of {len(missing)} trainings failed: "
                + "; ".join(self._failures),
                "give the same command again: only what has no result is run",
            )

    def _train(
        self,
        missing: list[Training],
        tags: dict[str, dict[str, str]],
        mlflow_runs: dict[str, StudyRuns],
    ) -> None:
        request = self._request
        self._num_left = len(missing)

        def ended(training: Training, result: TrainingResult | None, reason: str) -> None:
            self._num_left -= 1
            if result is None:
                self._failures.append(f"{training.label}: {reason}")
                self._console.print(f"{training.label}: failed: {reason}", markup=False)
            else:
                self._log(training.key, result, mlflow_runs[training.run.dataset])

        run_trainings(
            missing,
            TrainingContext(
                part=request.study.part,
                data_root=str(request.data_root),
                features=self._features,
                num_threads=max(1, int(request.resources.cpus)),
                store_wait_s=self._settings.store_wait_s,
            ),
            folder=self._folder,
            tags=tags,
            storage=self._settings.sweep_storage,
            name=f"{request.name}-{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}",
            resources=request.resources,
            max_concurrent=request.max_concurrent,
            ended=ended,
        )

    def _log_done(self, mlflow_runs: dict[str, StudyRuns]) -> None:
        for key, wanting in self._wanting.items():
            if self._folder.is_done(key):
                self._log(key, self._folder.result(key), mlflow_runs[wanting[0].dataset])

    def _log(self, key: str, result: TrainingResult, mlflow_runs: StudyRuns) -> None:
        """Each row of a training, its seed once."""
        logged = self._folder.logged(key)
        for run in self._wanting[key]:
            if run.config.hash() in logged:
                mlflow_runs.go_on(run)
                continue
            scores = mlflow_runs.log_seed(run, result, self._folder.training(key))
            logged.append(run.config.hash())
            self._console.print(
                f"{run.dataset} {run.row} seed {run.seed}: H {100 * scores[GZSL_HARMONIC]:.1f} "
                f"in {result.duration_s:.0f} s; {self._num_left} left",
                highlight=False,
                markup=False,
            )
        self._folder.mark_logged(key, logged)

    def _open_runs(self, record: StudyRecord, dataset: str, tags: dict[str, str]) -> StudyRuns:
        tracker = Tracker(self._settings, experiment(dataset), self._folder.path)
        origin = StudyOrigin(
            name=self._request.name,
            study=self._request.study,
            dataset=dataset,
            protocol=record.protocols[dataset],
            data=data_input(self._datasets[dataset], self._split(dataset)),
            tags=tags,
            own_tags={Tag.COMMAND: command_line(), **machine_tags(drivers_machine())},
        )
        runs = StudyRuns(tracker, origin, record, known_scores(self._folder, record, dataset))
        log_origin(tracker, runs.run_id)
        cache_root = self._settings.cache_root
        log_pictures(tracker, runs.run_id, self._datasets[dataset], cache_root, self._console)
        return runs

    def _split(self, dataset: str) -> Split:
        base = self._request.bases[dataset]
        return study_split(self._datasets[dataset], base, self._request.study.part)

    def _tags(self, dataset: str) -> dict[str, str]:
        base, split = self._request.bases[dataset], self._split(dataset)
        tags = {
            **code_tags(base, self._request.study.name),
            **data_tags(self._datasets[dataset], split),
        }
        del tags[Tag.SEED], tags[Tag.VARIANT], tags[Tag.CONFIG_HASH]
        return {str(key): value for key, value in tags.items()}

    def _prepare(self, config: Config) -> None:
        key = features_key(config)
        if key not in self._features:
            dataset = self._datasets[config.data.dataset]
            cache = self._settings.cache_root
            self._features[key] = prepare_levels(
                dataset, config, cache, self._console, self._request.features
            )
