"""The two branches' scores of an evaluation part: all that Algorithm 1, beta and metrics need.

Saved as Parquet (one row per image), so that other tools can read them and nothing is unpickled.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from drmn.atomic import replacing
from drmn.errors import DataError
from drmn.reading import FAULTS, shortened

MAX_RATIO = 1_000
"""By how much a file of logits may grow as it is read."""
SEEN_KEY = b"drmn.seen"
"""Parquet metadata: the JSON list of K booleans that says which classes are seen."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Logits:
    """Scores of N images over K classes, on the CPU.

    Args:
        o: the attribute branch's hyperspherical scores (Eq. 8), gamma^2 cos.
        g: the global branch's scores (section 3.3); a seen-only head has -inf on unseen columns;
            None where the model has no global branch.
        labels: 0..K-1.
        seen: which of the K classes are seen.
    """

    o: Float[Tensor, "N K"]
    g: Float[Tensor, "N K"] | None
    labels: Int[Tensor, " N"]
    seen: Bool[Tensor, " K"]

    def save(self, path: Path) -> None:
        """Write ``path`` atomically: columns o, g (fixed-size lists of K), label."""
        columns: dict[str, Any] = {"o": _as_lists(self.o)}
        if self.g is not None:
            columns["g"] = _as_lists(self.g)
        columns["label"] = pa.array(self.labels.cpu().numpy())
        metadata = {SEEN_KEY: json.dumps(self.seen.tolist()).encode()}
        with replacing(path) as temporary:
            pq.write_table(pa.table(columns).replace_schema_metadata(metadata), temporary)

    @classmethod
    def load(cls, path: Path) -> "Logits":
        """Inverse of :meth:`save`, bit for bit.

        Raises:
            DataError: the file is absent, damaged or not written by :meth:`save`.
        """
        try:
            return _read(path)
        except (*FAULTS, RuntimeError, pa.ArrowException) as error:
            raise DataError(
                f"{path} cannot be read as saved logits ({shortened(error)}), but must be a "
                f"Parquet file with columns o, label and the metadata {SEEN_KEY.decode()}",
                "evaluate the run again to write its logits anew",
            ) from error


def _read(path: Path) -> Logits:
    """What a file holds, once its own counts agree with each other and with its size."""
    with pq.ParquetFile(path) as file:
        _check_size(file.metadata, path.stat().st_size)
        seen = torch.tensor(json.loads(file.schema_arrow.metadata[SEEN_KEY]), dtype=torch.bool)
        if seen.ndim != 1 or not len(seen):
            raise ValueError(f"{SEEN_KEY.decode()} is no list of classes")
        _check_types(file.schema_arrow, len(seen))
        table = file.read()
    g = _as_tensor(table["g"], len(seen)) if "g" in table.column_names else None
    labels = torch.from_numpy(table["label"].to_numpy().copy())
    o = _as_tensor(table["o"], len(seen))
    if len(o) != len(labels) or (g is not None and len(g) != len(o)):
        raise ValueError(f"it has {len(o)} rows of o for {len(labels)} labels")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(seen):
        raise ValueError(f"its labels are not all in 0..{len(seen) - 1}")
    return Logits(o=o, g=g, labels=labels, seen=seen)


def _check_size(found: Any, size_bytes: int) -> None:
    """A few bytes of a compressed column may stand for any number of them."""
    groups = [found.row_group(index) for index in range(found.num_row_groups)]
    total = sum(group.total_byte_size for group in groups)
    if not 0 <= total <= MAX_RATIO * size_bytes:
        raise ValueError(f"it has {size_bytes} bytes, but they stand for {total}")


def _check_types(schema: Any, num_classes: int) -> None:
    for name in {"o", "g"} & set(schema.names):
        found = schema.field(name).type
        if not pa.types.is_fixed_size_list(found) or found.list_size != num_classes:
            raise TypeError(f"{name} is of {found}, but must be lists of {num_classes} scores")
        if not pa.types.is_floating(found.value_type):
            raise TypeError(f"{name} holds {found.value_type}, but must hold scores")


def _as_lists(scores: Float[Tensor, "N K"]) -> Any:
    flat = pa.array(scores.detach().cpu().contiguous().numpy().reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, scores.shape[1])


def _as_tensor(column: Any, num_classes: int) -> Float[Tensor, "N K"]:
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return torch.from_numpy(flat.reshape(-1, num_classes).copy())
