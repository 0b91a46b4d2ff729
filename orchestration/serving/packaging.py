"""A model file in MLflow's dress: signature, input example, and the module that reads it."""

import base64
import io
from importlib.metadata import version
from pathlib import Path

import mlflow.pyfunc
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import Array, ColSpec, DataType, ParamSchema, ParamSpec, Schema
from PIL import Image

from orchestration.serving import pyfunc

_PARAM_TYPES = {str: DataType.string, bool: DataType.boolean, int: DataType.long}


def signature() -> ModelSignature:
    """``image`` in base64; parameters with defaults; out come decision, classes, attributes."""
    texts, numbers = Array(DataType.string), Array(DataType.double)
    outputs = [
        ColSpec(DataType.string, "decision"),
        ColSpec(DataType.boolean, "is_seen"),
        ColSpec(texts, "classes"),
        ColSpec(numbers, "probabilities"),
        ColSpec(texts, "attributes"),
        ColSpec(numbers, "attribute_scores"),
    ]
    params = [ParamSpec(name, _PARAM_TYPES[type(v)], v) for name, v in pyfunc.DEFAULTS.items()]
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, pyfunc.IMAGE)]),
        outputs=Schema(outputs),
        params=ParamSchema(params),
    )


def input_example() -> dict[str, list[str]]:
    """One grey picture."""
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (128, 128, 128)).save(file, format="PNG")
    return {pyfunc.IMAGE: [base64.b64encode(file.getvalue()).decode()]}


def package(model: Path, target: Path, *, model_id: str, run_id: str) -> None:
    """Write a folder that ``mlflow models serve`` takes. No module is pickled."""
    mlflow.pyfunc.save_model(
        str(target),
        loader_module=pyfunc.__name__,
        data_path=str(model),
        mlflow_model=Model(model_id=model_id, run_id=run_id),
        signature=signature(),
        input_example=input_example(),
        pip_requirements=[f"drmn=={version('drmn')}"],
    )
