"""A data set and its split as an input of an MLflow run."""

import json

import numpy as np

from drmn.data.dataset import Dataset
from drmn.data.splits import Split
from orchestration.tracking import DataInput

_NUM_DIGITS = 8
_SCHEMA = {
    "mlflow_colspec": [
        {"name": "image", "type": "binary", "required": True},
        {"name": "class", "type": "string", "required": True},
        {"name": "attributes", "type": "array", "items": {"type": "float"}, "required": True},
    ]
}


def data_input(dataset: Dataset, split: Split) -> DataInput:
    """``dataset`` read through ``split``.

    The digest is the beginning of the data's hash, then of the split's: short enough for MLflow's
    lists. The profile has both whole, and counts images and classes of each part.
    """
    fields = {
        "name": dataset.name,
        "digest": digest_of(dataset.data_hash, split.hash),
        "source_type": "local",
        "source": json.dumps({"uri": dataset.root.resolve().as_uri()}),
        "schema": json.dumps(_SCHEMA),
        "profile": json.dumps(_profile(dataset, split)),
    }
    return DataInput(fields=fields, context=split.protocol)


def digest_of(data_hash: str, split_hash: str) -> str:
    """What MLflow tells data sets of one name apart by."""
    return f"{data_hash[:_NUM_DIGITS]}-{split_hash[:_NUM_DIGITS]}"


def _profile(dataset: Dataset, split: Split) -> dict[str, str | int]:
    parts = {"train": split.train, "seen": split.eval_seen, "unseen": split.eval_unseen}
    counts = {f"num_images_{name}": len(part.rows) for name, part in parts.items()}
    num_seen = int(np.count_nonzero(split.seen))
    return {
        "data_hash": dataset.data_hash,
        "split_hash": split.hash,
        "protocol": split.protocol,
        **counts,
        "num_classes_seen": num_seen,
        "num_classes_unseen": len(split.seen) - num_seen,
        "num_attributes": split.attributes.shape[1],
    }
