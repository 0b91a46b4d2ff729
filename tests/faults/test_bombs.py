"""Small files that stand for much, and names that lead elsewhere: refused before they do harm."""

import io
import json
import pickle
import time
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile_bytes import Canary
from run_store import MemoryStore

from drmn.archives import check_npz, check_torch
from drmn.config import parse_override
from drmn.data.pixels.manifest import MANIFEST_FILE, load_pixel_manifest
from drmn.data.store.manifest import Manifest, load_manifest
from drmn.data.store.storage import Storage
from drmn.errors import ConfigError, DataError
from drmn.logits import SEEN_KEY, Logits
from drmn.model import weights
from drmn.model.levels import LevelSpec
from orchestration.plain_yaml import read_yaml
from orchestration.settings import read_settings
from orchestration.tracking.delivery import Delivery, Upload


def _zip(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def _npy(header_shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    described = {"descr": "<f4", "fortran_order": False, "shape": header_shape}
    np.lib.format.write_array_header_1_0(buffer, described)
    return buffer.getvalue() + b"\0" * 16


def test_archives_that_stand_for_more_than_memory_are_refused_by_name(tmp_path: Path) -> None:
    bomb = _zip(tmp_path / "w.npz", **{"a.npy": b"\0" * 40_000_000})
    assert bomb.stat().st_size < 50_000
    liar = _zip(tmp_path / "liar.npz", **{"a.npy": _npy((10**6, 10**6))})
    torch_bomb = _zip(tmp_path / "w.pt", **{"x/data.pkl": b"\x80\x02.", "x/data/0": b"\0" * 10**8})
    for path, reason in (
        (bomb, "stand for"),
        (liar, "than its header says"),
        (torch_bomb, "stand"),
    ):
        with pytest.raises(DataError, match=reason) as caught:
            weights._read_file(path)
        assert path.name in caught.value.message


def test_an_honest_archive_passes(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "w.npz", a=np.zeros(1000, np.float32), b=np.arange(9.0))
    check_npz(tmp_path / "w.npz")


def test_a_long_word_in_a_pickle_takes_no_time() -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match="over 200 characters"):
        check_torch(io.BytesIO(b"c" + b"a" * 300_000 + b"\nb\n."), 300_005)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("suffix", [".pt", ".npz"])
def test_code_in_weights_is_not_run_and_the_way_out_is_told(tmp_path: Path, suffix: str) -> None:
    path, canary = tmp_path / f"w{suffix}", tmp_path / "canary"
    if suffix == ".pt":
        path.write_bytes(b"".join(pickle.dumps(Canary(canary), protocol=2) for _ in range(4)))
    else:
        np.savez(path, a=np.array([Canary(canary)], dtype=object))
        canary.unlink(missing_ok=True)
    with pytest.raises(DataError, match="cannot be read") as caught:
        weights._read_file(path)
    assert not canary.exists()
    assert "where you trust the file" in caught.value.remedy


def test_logits_that_grow_a_thousandfold_are_refused(tmp_path: Path) -> None:
    zeros = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(30_000_000, np.float32)), 3)
    table = pa.table({"o": zeros, "label": pa.array(np.zeros(10_000_000, np.int64))})
    seen = {SEEN_KEY: b"[true, true, false]"}
    path = tmp_path / "logits.parquet"
    pq.write_table(
        table.replace_schema_metadata(seen), path, compression="zstd", use_dictionary=False
    )
    with pytest.raises(DataError, match="stand for"):
        Logits.load(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &x [1, 1]\nb: [*x, *x]\n", "anchors and aliases"),
        ("a: 1\nb: 2\na: 3\n", "'a' is given twice"),
        ("a: " + "[" * 60, "more than 50 deep"),
        ("a: !!python/name:os.system\n", "could not determine a constructor"),
        ("a: 2001-99-99\n", "month must be in"),
        ("a: \0\n", "not YAML"),
    ],
)
def test_yaml_is_plain(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(ConfigError, match=reason) as caught:
        read_yaml(tmp_path / "s.yaml", "mend it")
    assert "s.yaml" in caught.value.message
    assert caught.value.remedy == "mend it"
    assert len(caught.value.message) < 600


def test_yaml_of_a_megabyte_is_no_settings(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("a: 1\n" * 300_000)
    with pytest.raises(ConfigError, match="too many for settings"):
        read_yaml(tmp_path / "s.yaml")


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "/etc", "a\\b", "a\0b", "x" * 300])
def test_names_of_sweeps_and_studies_lead_nowhere_else(tmp_path: Path, name: str) -> None:
    settings = read_settings({"DRMN_HOME": str(tmp_path)})
    for folder in (settings.sweep_folder, settings.study_folder):
        with pytest.raises(ConfigError, match="must be that of a folder"):
            folder(name)


def test_files_that_a_manifest_names_lie_beside_it(tmp_path: Path) -> None:
    manifest = Manifest(settings={}, levels=(LevelSpec(1, 1, 1),), num_rows=1, rows_per_shard=1)
    manifest.save(tmp_path)
    content = json.loads((tmp_path / "manifest.json").read_text())
    entry = {"num_rows": 1, "size_bytes": 0, "file": "a", "sha256": "a" * 64}
    for changes in ({"file": "../x"}, {"sha256": "../../x"}, {"file": ""}, {"sha256": "A" * 64}):
        content["shards"] = [{**entry, **changes}]
        (tmp_path / "manifest.json").write_text(json.dumps(content))
        with pytest.raises(DataError, match="is damaged"):
            load_manifest(tmp_path)
        pixel = {**entry, **changes, "index": 0, "first_row": 0, "bad": {}}
        whole = {
            "settings": {"transform": {"image_size": 1}}, "num_rows": 1, "rows_per_shard": 1,
            "shards": [pixel],
        }  # fmt: skip
        (tmp_path / MANIFEST_FILE).write_text(json.dumps(whole))
        with pytest.raises(DataError, match="is damaged"):
            load_pixel_manifest(Storage(str(tmp_path)))


def test_a_line_in_the_spool_uploads_and_deletes_no_other_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret" / "key"
    secret.parent.mkdir()
    secret.write_text("mine")
    refused: list[str] = []
    store, files = MemoryStore(), tmp_path / "files"
    files.mkdir()
    upload = Upload(store, files, lambda _, reason: refused.append(reason), lambda: True)
    upload([{"run": "r", "copy": copy, "folder": None} for copy in ("../secret/key", str(secret))])
    assert refused == ["an event of the kind 'file' whose copy lies elsewhere"] * 2
    assert secret.read_text() == "mine"


def test_damaged_events_are_refused_and_the_others_delivered() -> None:
    refused: list[str] = []
    store = MemoryStore()
    good = {"kind": "open", "run": "r", "name": "n", "tags": {}, "parent": "", "time_ms": 1}
    bad = [{}, {"kind": "open"}, {**good, "tags": 5}, {**good, "kind": "metrics", "values": []}]
    bad += [{**good, "kind": "metrics", "values": {"a": "x"}, "step": 1}, {**good, "parent": 5}]
    Delivery(store, lambda _, reason: refused.append(reason))([*bad, good])
    assert len(refused) == len(bad)
    assert list(store.runs) == ["r"]


@pytest.mark.parametrize("value", ["9" * 5_000, "[" * 100_000])
def test_endless_values_of_settings_are_refused(value: str) -> None:
    with pytest.raises(ConfigError):
        from drmn.config import Config

        Config().with_overrides(dict([parse_override(f"training.epochs={value}")]))
