"""The run that a sweep's trials and final runs are nested in."""

from drmn.data.dataset import Dataset
from drmn.data.splits import validation_split
from orchestration.levels import weights_hash
from orchestration.provenance.data_input import data_input
from orchestration.provenance.machine import drivers_machine
from orchestration.provenance.origin_files import log_origin
from orchestration.provenance.tags import code_tags, command_line, data_tags, machine_tags
from orchestration.request import SweepRequest
from orchestration.tracking import Tag, Tracker
from orchestration.trial_logging import SweepRun


def open_sweep_run(
    tracker: Tracker, request: SweepRequest, dataset: Dataset, features: str | None
) -> SweepRun:
    """Created, or RUNNING again, with the recipe as parameters and all of its origin.

    ``features`` is the folder of the feature store; None for live levels.
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
    run_id = tracker.open_run(request.key, f"sweep {request.name}", own_tags)
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
