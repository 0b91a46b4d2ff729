"""Logits survive Parquet bit for bit, and damage to the file is named."""

import pyarrow.parquet as pq
import pytest
import torch

from drmn.errors import DataError
from drmn.logits import Logits


def example(has_global: bool, dtype: torch.dtype = torch.float32) -> Logits:
    random = torch.Generator().manual_seed(0)
    g = torch.randn(7, 3, generator=random, dtype=dtype)
    g[:, 2] = -torch.inf
    return Logits(
        o=torch.randn(7, 3, generator=random, dtype=dtype),
        g=g if has_global else None,
        labels=torch.arange(7) % 3,
        seen=torch.tensor([True, True, False]),
    )


@pytest.mark.parametrize("has_global", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_saved_and_loaded_logits_are_the_same_bits(tmp_path, has_global, dtype):
    path, logits = tmp_path / "deep" / "logits.parquet", example(has_global, dtype)
    logits.save(path)
    loaded = Logits.load(path)
    assert torch.equal(loaded.o, logits.o) and loaded.o.dtype == dtype
    assert torch.equal(loaded.labels, logits.labels) and torch.equal(loaded.seen, logits.seen)
    if logits.g is None:
        assert loaded.g is None
    else:
        assert loaded.g is not None and torch.equal(loaded.g, logits.g)
    assert [file.name for file in path.parent.iterdir()] == ["logits.parquet"]


def test_other_tools_can_read_the_file(tmp_path):
    example(has_global=True).save(tmp_path / "logits.parquet")
    table = pq.read_table(tmp_path / "logits.parquet")
    assert table.column_names == ["o", "g", "label"] and table.num_rows == 7


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "logits.parquet"
    example(has_global=True).save(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"logits\.parquet.*must be a Parquet file"):
        Logits.load(path)
    with pytest.raises(DataError, match=r"absent\.parquet"):
        Logits.load(tmp_path / "absent.parquet")
