"""Checkpoints, artifacts and shards on a real S3 server that denies, throttles or cuts."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faulty_proxy import Fault, FaultyProxy, faulty_proxy
from ray import tune
from ray.train._internal.storage import StorageContext
from swift_server import SECRET_KEY, SwiftServer

from drmn.checkpoint import checkpoint_path, load_latest, save_checkpoint
from drmn.data.store.storage import Storage
from drmn.errors import StoreError
from drmn.places import store_error
from orchestration.artifacts import ArtifactStore
from orchestration.checkpoints import (
    attempt_name,
    check_writable,
    list_checkpoints,
    restore_newest,
    store_missing,
    tune_storage,
)

pytestmark = pytest.mark.slow

ATTEMPTS = 2
DATA = bytes(range(256)) * 400
REFUSALS = [
    (Fault.DENIED, "access is denied"),
    (Fault.SLOW_DOWN, "the store throttles"),
    (Fault.FULL, "the store is full"),
    (Fault.CUT_UPLOAD, "the connection was cut"),
]


@pytest.fixture(scope="module")
def proxy(object_store: SwiftServer) -> Iterator[FaultyProxy]:
    with faulty_proxy(object_store.endpoint) as running:
        yield running


@pytest.fixture
def uri(proxy: FaultyProxy, s3_uri: str) -> str:
    proxy.heal()
    return proxy.uri(s3_uri)


class Tune:
    """One trial's way to Tune's storage: Tune's own code, without its processes."""

    def __init__(self, uri: str, tmp_path: Path) -> None:
        given = tune_storage(uri, ATTEMPTS)
        names = {"experiment_dir_name": attempt_name("s", 1), "trial_dir_name": "trial_0001"}
        self._context, self._folder = StorageContext(**given, **names), tmp_path

    def save(self, epoch: int) -> None:
        folder = self._folder / f"epoch{epoch}"
        save_checkpoint(checkpoint_path(folder, epoch), {"epoch": epoch})
        self._context.current_checkpoint_index = epoch
        local = tune.Checkpoint.from_directory(folder)
        try:
            store_missing(folder, self._context.persist_current_checkpoint(local))
        except OSError as error:
            raise store_error("the checkpoint cannot be stored", error) from error


def _restored(uri: str) -> int:
    """The epoch that a resumed trial goes on from."""
    taken: list[int] = []
    take = SimpleNamespace(restore=lambda folder: taken.append(load_latest(folder)[1]["epoch"]))
    trainer: Any = take
    restore_newest(trainer, list_checkpoints(uri, "s", 1, "0001"))
    return taken[0] if taken else 0


def _writers(uri: str, tmp_path: Path) -> dict[str, tuple[Callable[[], object], str]]:
    """Ways to write, each with what must not be there after a failure."""
    file = tmp_path / "file"
    file.write_bytes(DATA)
    storage = Storage(uri, attempts=ATTEMPTS)
    store = ArtifactStore(uri, attempts=ATTEMPTS)
    return {
        "shard": (lambda: storage.write("x.arrow", DATA), "x.arrow"),
        "artifact": (lambda: store.put(file), "objects"),
        "index": (lambda: store.write("sweeps/s/index", DATA), "sweeps"),
    }


@pytest.mark.parametrize(("fault", "what"), REFUSALS)
def test_a_refused_write_says_why_and_leaves_nothing_under_its_name(
    proxy: FaultyProxy, uri: str, tmp_path: Path, fault: Fault, what: str
) -> None:
    whole = Storage(uri)
    for write, name in _writers(uri, tmp_path).values():
        proxy.fail(fault, "PUT", part=name)
        with pytest.raises(StoreError, match=what) as caught:
            write()
        assert "drmn/" in str(caught.value)
        assert SECRET_KEY not in str(caught.value)
        proxy.heal()
        assert whole.read(name) is None
        write()


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN, Fault.CUT_UPLOAD])
def test_a_write_that_fails_once_is_repeated(
    proxy: FaultyProxy, uri: str, tmp_path: Path, fault: Fault
) -> None:
    for write, name in _writers(uri, tmp_path).values():
        proxy.fail(fault, "PUT", times=1, part=name)
        write()
    assert Storage(uri).read("x.arrow") == DATA


@pytest.mark.parametrize(("fault", "what"), REFUSALS)
def test_a_checkpoint_that_cannot_be_stored_leaves_those_before_it(
    proxy: FaultyProxy, uri: str, tmp_path: Path, fault: Fault, what: str
) -> None:
    trial = Tune(uri, tmp_path)
    trial.save(1)
    proxy.fail(fault, "PUT", part="epoch-00002")
    with pytest.raises(StoreError, match=what):
        trial.save(2)
    proxy.heal()
    assert _restored(uri) == 1
    trial.save(3)
    assert _restored(uri) == 3


def test_a_damaged_checkpoint_is_passed_over_with_a_warning(
    uri: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trial = Tune(uri, tmp_path)
    trial.save(1)
    trial.save(2)
    newest = "s-1/trial_0001/checkpoint_000002"
    Storage(uri).write(f"{newest}/epoch-00002.ckpt", b"half")
    with caplog.at_level(logging.WARNING):
        assert _restored(uri) == 1
    assert "checkpoint_000002 is passed over" in caplog.text
    assert "endpoint_override" not in caplog.text


def test_a_store_that_is_down_is_no_reason_to_begin_anew(
    proxy: FaultyProxy, uri: str, tmp_path: Path
) -> None:
    Tune(uri, tmp_path).save(1)
    proxy.fail(Fault.DENIED, "GET")
    with pytest.raises(StoreError, match="access is denied"):
        _restored(uri)
    proxy.heal()
    with pytest.raises(StoreError, match="the store has no bucket of this name"):
        check_writable(uri.replace("s3://drmn/", "s3://nobody-has-this/"), ATTEMPTS)


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        (Fault.DENIED, "access is denied"),
        (Fault.CUT_DOWNLOAD, "the connection was cut"),
        (Fault.CORRUPT, "came with the SHA-256"),
    ],
)
def test_an_artifact_that_does_not_come_whole_does_not_come_at_all(
    proxy: FaultyProxy, uri: str, tmp_path: Path, fault: Fault, what: str
) -> None:
    store = ArtifactStore(uri, attempts=ATTEMPTS)
    (tmp_path / "file").write_bytes(DATA)
    digest = store.put(tmp_path / "file")
    store.write("index", DATA)
    proxy.fail(fault, "GET")
    with pytest.raises(StoreError, match=what):
        store.get(digest, tmp_path / "copy")
    with pytest.raises(StoreError, match=what):
        store.read("index")
    assert not (tmp_path / "copy").exists()
    proxy.fail(fault, "GET", times=1 if fault is Fault.CUT_DOWNLOAD else 0)
    store.get(digest, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == DATA


def test_an_upload_of_the_same_content_sends_nothing(
    proxy: FaultyProxy, uri: str, tmp_path: Path
) -> None:
    store = ArtifactStore(uri, attempts=ATTEMPTS)
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(DATA * 200)  # several parts
    digest = store.put(tmp_path / "one")
    proxy.fail(Fault.DENIED, "PUT")
    assert store.put(tmp_path / "two") == digest
    proxy.heal()
    store.get(digest, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == DATA * 200
