"""A final model as MLflow's LoggedModel: its files, settings, test scores, and the run it is of."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, Metric, Run
from mlflow.entities.logged_model_status import LoggedModelStatus

from drmn.config import Config
from drmn.names import phased
from orchestration.serving.packaging import package
from orchestration.tracking import Tag

MODEL_NAME = "model"
MODEL_TYPE = "drmn"
_TEST = phased("test", "")


def log_model(
    client: MlflowClient, path: Path, run: Run, config: Config, tags: Mapping[str, str]
) -> LoggedModel:
    """The model in the file ``path``, an output of ``run``; the one there is, if it is whole."""
    if (whole := _found(client, run)) is not None:
        return whole
    model = client.create_logged_model(
        run.info.experiment_id,
        MODEL_NAME,
        run.info.run_id,
        tags={Tag.TRIAL_KEY.value: run.data.tags[Tag.TRIAL_KEY], **tags},
        params={name: str(value) for name, value in config.flat().items()},
        model_type=MODEL_TYPE,
    )
    _upload(client, path, model)
    _link(client, model, run)
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    return model


def _found(client: MlflowClient, run: Run) -> LoggedModel | None:
    """What is READY; what an attempt left that died before is removed."""
    key = run.data.tags[Tag.TRIAL_KEY]
    models = client.search_logged_models(
        [run.info.experiment_id], f"tags.`{Tag.TRIAL_KEY}` = '{key}'"
    )
    for model in models:
        if model.status is LoggedModelStatus.READY:
            return model
        client.delete_logged_model(model.model_id)
    return None


def _upload(client: MlflowClient, path: Path, model: LoggedModel) -> None:
    with tempfile.TemporaryDirectory(prefix="drmn-package-") as folder:
        target = Path(folder) / MODEL_NAME
        package(path, target, model_id=model.model_id, run_id=str(model.source_run_id))
        client.log_model_artifacts(model.model_id, str(target))


def _link(client: MlflowClient, model: LoggedModel, run: Run) -> None:
    """Make it the run's output, with the run's test scores on the run's data set.

    A point that is repeated with its own time is no new point of the run.
    """
    points = [point for point in run.data.to_proto().metrics if point.key.startswith(_TEST)]
    step = max((int(point.step) for point in points), default=0)
    client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, step)])
    inputs = run.inputs.dataset_inputs
    data = (inputs[0].dataset.name, inputs[0].dataset.digest) if inputs else (None, None)
    metrics = [
        Metric(p.key, p.value, p.timestamp, p.step, model.model_id, *data, run.info.run_id)
        for p in points
    ]
    if metrics:
        client.log_batch(run.info.run_id, metrics)
