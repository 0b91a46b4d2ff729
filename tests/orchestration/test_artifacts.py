import hashlib
import io
import json
import time
from pathlib import Path
from typing import cast

import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from drmn.atomic import is_temporary
from drmn.errors import ConfigError, DataError, StoreError
from orchestration.artifacts import ArtifactStore, Encryption
from orchestration.publishing import fetch_sweep, publish_sweep


@pytest.mark.parametrize("place", ["/a/folder", "gs://bucket/x", "s3://", "s3://k:canary@b/x"])
def test_only_buckets_without_credentials_are_places_of_artifacts(place: str) -> None:
    with pytest.raises(ConfigError, match=r"must be s3://bucket/prefix") as caught:
        ArtifactStore(place)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(("kind", "key"), [("ROT13", ""), ("AES256", "key")])
def test_encryptions_are_those_that_stores_know(kind: str, key: str) -> None:
    with pytest.raises(ConfigError, match=r"must be one of AES256, aws:kms"):
        Encryption(kind=kind, key_id=key)


def test_an_upload_asks_for_the_encryption() -> None:
    assert Encryption(kind="aws:kms", key_id="k").arguments == {
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": "k",
    }


class Arriving(io.BytesIO):
    """An object's bytes; before their end is told, it looks at what lies in ``folder``."""

    def __init__(self, data: bytes, folder: Path) -> None:
        super().__init__(data)
        self.seen: list[Path] = []
        self._folder = folder

    def read(self, amount: int | None = -1) -> bytes:
        end = time.monotonic() + 10
        while self.tell() and not self.seen:
            self.seen = list(self._folder.iterdir())
            assert time.monotonic() < end, "nothing arrived"
        return super().read(amount)


def test_what_arrives_lies_under_a_temporary_name_which_a_later_fetch_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "any")
    store, body = ArtifactStore("s3://b/x"), Arriving(b"weights", tmp_path)
    with Stubber(store._client) as answers:
        answers.add_response("head_object", {"ContentLength": 7})
        answers.add_response("get_object", {"Body": StreamingBody(body, 7), "ContentLength": 7})
        store.get(hashlib.sha256(b"weights").hexdigest(), tmp_path / "model")
    assert body.seen
    assert all(map(is_temporary, body.seen)), body.seen
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


class Memory:
    """A store that fails when ``left`` uploads are done."""

    def __init__(self, left: int) -> None:
        self.left, self.files, self.indexes = left, dict[str, bytes](), dict[str, bytes]()

    def put(self, path: Path) -> str:
        if not self.left:
            raise StoreError("full")
        self.left -= 1
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.files[digest] = path.read_bytes()
        return digest

    def get(self, digest: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.files[digest])

    def write(self, name: str, data: bytes) -> None:
        self.indexes[name] = data

    def read(self, name: str) -> bytes | None:
        return self.indexes.get(name)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = tmp_path / "s"
    (folder / "final" / "winner-1" / "seed-0").mkdir(parents=True)
    (folder / "final" / "winner-1" / "seed-0" / "logits.parquet").write_bytes(b"logits")
    (folder / "result.json").write_text("{}")
    (folder / "driver.lock").write_text("")
    return folder


def test_a_sweep_is_fetched_as_it_was_published(sweep: Path, tmp_path: Path) -> None:
    store = cast(ArtifactStore, Memory(left=10))
    assert publish_sweep(sweep, "s", store) == 2
    assert fetch_sweep("s", tmp_path / "copy", store) == 2
    copied = tmp_path / "copy" / "final" / "winner-1" / "seed-0" / "logits.parquet"
    assert copied.read_bytes() == b"logits"
    assert not (tmp_path / "copy" / "driver.lock").exists()


def test_a_sweep_that_was_not_stored_whole_has_no_index(sweep: Path, tmp_path: Path) -> None:
    memory = Memory(left=1)
    with pytest.raises(StoreError, match="full"):
        publish_sweep(sweep, "s", cast(ArtifactStore, memory))
    with pytest.raises(ConfigError, match="the store has no sweep 's'"):
        fetch_sweep("s", tmp_path / "copy", cast(ArtifactStore, memory))


def test_an_index_cannot_write_outside_the_folder(tmp_path: Path) -> None:
    memory = Memory(left=0)
    memory.indexes["sweeps/s/index"] = json.dumps({"../x": "a" * 64}).encode()
    with pytest.raises(DataError, match="leaves its folder"):
        fetch_sweep("s", tmp_path / "copy", cast(ArtifactStore, memory))


@pytest.mark.parametrize("index", [{"a": "\ud800"}, {"a": "../b"}, {"\ud800": "a" * 64}, ["a"]])
def test_an_index_that_names_no_contents_is_refused(tmp_path: Path, index: object) -> None:
    memory = Memory(left=0)
    memory.indexes["sweeps/s/index"] = json.dumps(index).encode()
    with pytest.raises(DataError, match="not an index of files"):
        fetch_sweep("s", tmp_path / "copy", cast(ArtifactStore, memory))
