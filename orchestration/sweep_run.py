"""The run that a sweep's trials and final runs are nested in."""

from collections.abc import Iterator
from contextlib import contextmanager

from drmn.data.dataset import Dataset
from drmn.data.splits import validation_split
from orchestration.ledger import Ledger
from orchestration.levels import weights_hash
from orchestration.notes.of_sweeps import sweep_note
from orchestration.provenance.data_input import data_input
from orchestration.provenance.machine import drivers_machine
from orchestration.provenance.origin_files import log_origin
from orchestration.provenance.tags import code_tags, command_line, data_tags, machine_tags
from orchestration.request import SweepRequest
from orchestration.tracking import Status, Tag, Tracker
from orchestration.trial_logging import SweepRun, TrialLogger


@contextmanager
def nested_search(
    tracker: Tracker, request: SweepRequest, ledger: Ledger, run: SweepRun
) -> Iterator[TrialLogger]:
    """The trials of a search that is part of something larger go to ``run``, which ends with it."""
    status = Status.STOPPED
    try:
        yield TrialLogger(tracker, run)
        status = Status.FINISHED
    finally:
        tracker.describe(run.run_id, sweep_note(request, ledger.histories()))
        tracker.close_run(run.run_id, status)


def open_sweep_run(
    tracker: Tracker,
    request: SweepRequest,
    dataset: Dataset,
    features: str | None,
    parent: str | None = None,
) -> SweepRun:
    """Created, or RUNNING again, with the recipe as parameters and all of its origin.

    ``features`` is the folder of the feature store; None for live levels. ``parent`` is the key of
    the run that the sweep is nested in.
    """
    split = validation_split(dataset, request.config.validation)
    tags = {
        **code_tags(request.config, request.variant),
        **data_tags(dataset, split),
        Tag.SWEEP: request.name,
    }
    if features is not None:
        tags[Tag.WEIGHTS_HASH] = weights_hash(features)
    own_tags = {
        **tags,
        **machine_tags(drivers_machine()),
        Tag.KIND: "sweep",
        Tag.COMMAND: command_line(),
    }
    run_id = tracker.open_run(request.key, f"sweep {request.name}", own_tags, parent)
    tracker.log_params(run_id, request.config.flat())
    data = data_input(dataset, split)
    tracker.log_dataset(run_id, data)
    log_origin(tracker, run_id)
    return SweepRun(
        run_id=run_id,
        sweep=request.key,
        tags=tags,
        config=request.config,
        data=data,
        name=request.name,
        objective=request.objective,
    )
