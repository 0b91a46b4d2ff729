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
            table = pq.read_table(path)
            seen = torch.tensor(json.loads(table.schema.metadata[SEEN_KEY]), dtype=torch.bool)
            g = _as_tensor(table["g"], len(seen)) if "g" in table.column_names else None
            labels = torch.from_numpy(table["label"].to_numpy().copy())
            return cls(o=_as_tensor(table["o"], len(seen)), g=g, labels=labels, seen=seen)
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise DataError(
                f"{path} cannot be read as saved logits ({error}), but must be a Parquet file with "
                f"columns o, label and the metadata {SEEN_KEY.decode()}",
                "evaluate the run again to write its logits anew",
            ) from error


def _as_lists(scores: Float[Tensor, "N K"]) -> Any:
    flat = pa.array(scores.detach().cpu().contiguous().numpy().reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, scores.shape[1])


def _as_tensor(column: Any, num_classes: int) -> Float[Tensor, "N K"]:
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return torch.from_numpy(flat.reshape(-1, num_classes).copy())
