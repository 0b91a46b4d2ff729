"""Two runs with one key: there where a creation whose answer did not come in time was done yet."""

from collections.abc import Sequence

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID


def without_twins(client: MlflowClient, runs: Sequence[Run]) -> Run:
    """Of runs with one key, the one in use; the others, if nothing is in them, are deleted."""
    used, twins = told_apart(client, runs)
    for run_id in twins:
        client.delete_run(run_id)
    return used


def told_apart(client: MlflowClient, runs: Sequence[Run]) -> tuple[Run, list[str]]:
    """Of runs with one key, the one in use, and the ids of the others that nothing is in."""
    if len(runs) == 1:
        return runs[0], []
    empty = [run.info.run_id for run in runs if not _is_used(client, run)]
    used = next((run for run in runs if run.info.run_id not in empty), runs[0])
    return used, [run_id for run_id in empty if run_id != used.info.run_id]


def _is_used(client: MlflowClient, run: Run) -> bool:
    """Whether it holds figures, or other runs are nested in it."""
    if run.data.metrics or run.data.params:
        return True
    below = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run.info.run_id}'"
    return bool(client.search_runs([run.info.experiment_id], below, max_results=1))
