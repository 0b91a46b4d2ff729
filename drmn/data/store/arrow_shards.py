"""One file of a feature store: an Arrow IPC file whose columns are the levels of some images.

A column ``l1``..``lL`` holds one fixed-size list of floats (half or single) per image, ``[H_l,
W_l, C_l]`` in C order; the whole file is one record batch, so that a column is one run of memory.
Reading maps the file: no byte is copied, and processes on one machine share the pages. The
schema's metadata tells any Arrow reader, in any language, what it holds.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from drmn.atomic import replacing
from drmn.errors import DataError
from drmn.model.levels import LevelSpec
from drmn.reading import FAULTS

DTYPE = "float16"
DTYPES = (DTYPE, "float32")
_ARROW = {"float16": pa.float16(), "float32": pa.float32()}

Level = Float[np.ndarray, "n _ _ _"]


def write_shard(path: Path, levels: Sequence[Level], metadata: Mapping[str, object]) -> None:
    """Write the levels of n images; the file appears whole or not at all.

    Args:
        metadata: JSON values, kept in the schema beside the shapes of the levels.
    """
    columns = [_fixed_size_lists(level) for level in levels]
    described = {
        "dtype": str(levels[0].dtype),
        "levels": [_shape(level) for level in levels],
        **metadata,
    }
    schema = pa.schema(
        [pa.field(f"l{i}", c.type, nullable=False) for i, c in enumerate(columns, start=1)],
        metadata={f"drmn.{name}": json.dumps(value) for name, value in described.items()},
    )
    batch = pa.record_batch(columns, schema=schema)
    with replacing(path) as temporary, pa.ipc.new_file(str(temporary), schema) as writer:
        writer.write_batch(batch)


def map_shard(
    path: Path, specs: Sequence[LevelSpec], num_rows: int, dtype: str = DTYPE
) -> list[Level]:
    """Levels of the file's images: read-only views of the mapped file.

    Raises:
        DataError: the file cannot be read or does not hold ``num_rows`` images of these shapes.
    """
    expected = [pa.list_(_ARROW[dtype], spec.num_values) for spec in specs]
    try:
        batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
        batch.validate()
        if batch.schema.types != expected or batch.num_rows != num_rows:
            raise ValueError(f"it holds {batch.num_rows} rows of {batch.schema.types}")
        return [
            column.flatten().to_numpy(zero_copy_only=True).reshape(num_rows, *spec.shape)
            for column, spec in zip(batch.columns, specs, strict=True)
        ]
    except (*FAULTS, pa.ArrowException) as error:
        raise damaged(path, str(error)) from error


def damaged(path: Path, reason: str) -> DataError:
    """The error for a file of a store that is not as it was written."""
    return DataError(
        f"the feature file {path} is damaged: {reason}",
        f"remove the folder {path.parent}; its features are then computed again",
    )


def _shape(level: Level) -> dict[str, int]:
    height, width, channels = level.shape[1:]
    return {"height": height, "width": width, "channels": channels}


def _fixed_size_lists(level: Level) -> pa.FixedSizeListArray:
    num_values = int(np.prod(level.shape[1:]))
    return pa.FixedSizeListArray.from_arrays(pa.array(level.reshape(-1)), num_values)
