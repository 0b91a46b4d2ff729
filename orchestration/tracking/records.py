"""A run as MLflow has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlflow.entities import DatasetInput, Run
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from orchestration.tracking.names import DataInput


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run as the server has it; ``status`` is MLflow's word."""

    run_id: str
    name: str
    status: str
    num_params: int
    tags: Mapping[str, str]
    data: DataInput | None
    """The first data set among its inputs."""
    num_twins: int = 0
    """Empty runs of the same key; see twins.py."""


def record_of(run: Run, twins: Sequence[str] = ()) -> RunRecord:
    """What is needed of MLflow's own record."""
    return RunRecord(
        run_id=run.info.run_id,
        name=run.info.run_name,
        status=run.info.status,
        num_params=len(run.data.params),
        tags=run.data.tags,
        data=next(map(_data_input, run.inputs.dataset_inputs), None),
        num_twins=len(twins),
    )


def _data_input(given: DatasetInput) -> DataInput:
    contexts = [tag.value for tag in given.tags if tag.key == MLFLOW_DATASET_CONTEXT]
    return DataInput(fields=given.dataset.to_dictionary(), context="".join(contexts[:1]))
