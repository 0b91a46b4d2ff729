"""A study that nothing runs, in MLflow: what was not sent is sent, what is open is closed.

What MLflow lacks of trainings that are done is no matter of this: the study's own command, given
again, logs it.
"""

from collections.abc import Mapping

from orchestration.repair.truth import Difference
from orchestration.repair.twins import delete_twins, twin_differences
from orchestration.repair.unsent import send, unsent
from orchestration.settings import Settings
from orchestration.study.files import StudyFolder, StudyRecord
from orchestration.study.publishing import experiment
from orchestration.tracking import DirectTracker, RunRecord, Status, TrackingError, is_spooling

_RUNNING = "RUNNING"


def reconcile_study(name: str, settings: Settings, *, dry_run: bool) -> list[Difference]:
    """What differed; all of it is mended, unless ``dry_run``. A second call finds nothing.

    Raises:
        ConfigError: there is no such study.
        TrackingError: the study is being run, or MLflow refuses or does not answer.
    """
    folder = StudyFolder(settings.study_folder(name))
    record = folder.record()
    if is_spooling(folder.path):
        raise TrackingError(
            f"the study {name!r} is being run by another process",
            "wait until it has ended: it sends what waits itself",
        )
    found = unsent(folder.path)
    if found and not dry_run:
        send(settings, folder.path)
    ending = Status.FINISHED if _is_complete(folder, record) else Status.STOPPED
    for dataset in record.bases:
        tracker = DirectTracker(settings, experiment(dataset))
        records = tracker.runs_of(name)
        found += [_open(each, ending) for each in records.values() if each.status == _RUNNING]
        found += twin_differences(records)
        if not dry_run:
            _mend(tracker, records, ending)
    return found


def _mend(tracker: DirectTracker, records: Mapping[str, RunRecord], ending: Status) -> None:
    delete_twins(tracker, records)
    for each in records.values():
        if each.status == _RUNNING:
            tracker.close_run(each.run_id, ending)


def _open(record: RunRecord, ending: Status) -> Difference:
    return Difference(subject=record.name, book="MLflow", has=_RUNNING, should_have=ending)


def _is_complete(folder: StudyFolder, record: StudyRecord) -> bool:
    """Whether each row's every seed has been logged."""
    return all(
        run.config.hash() in folder.logged(run.training_key(record.splits[run.dataset]))
        for run in record.runs()
    )
