"""What pyarrow writes to a real S3 server: features, and a trial's checkpoints."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from crash_data import extraction
from crash_stores import Bucket
from crash_training import NUM_EPOCHS, same, trained
from fault_matrix import Told, forked
from ray.train._internal.storage import StorageContext
from tiny_runs import ArraySource, tiny_config, tiny_split

from drmn.config import Config
from drmn.data.store.features import FeatureStore
from drmn.data.store.manifest import MANIFEST_FILE
from drmn.data.store.remote_features import RemoteFeatureStore, publish
from drmn.data.store.shard_cache import ShardCache
from drmn.data.store.storage import Storage
from drmn.training import Trainer
from orchestration import trainable
from orchestration.checkpoints import (
    TRIAL_FOLDER,
    attempt_name,
    list_checkpoints,
    restore_newest,
    tune_storage,
)
from orchestration.events import CHECKPOINTS, OVERRIDES
from orchestration.trainable import DrmnTrainable, TrialContext

TRIAL, MAX_LIVES = "0001", 4


class RemoteFeatures:
    """A feature store of two shards is published, and read through a node's cache."""

    name = "remote features"

    def __init__(self, endpoint: str) -> None:
        self._bucket = Bucket(endpoint)
        self.port = self._bucket.port

    def prepare(self, folder: Path) -> None:
        self._make(folder, shade=9)

    def work(self, folder: Path, told: Told) -> None:
        storage = Storage(self._bucket.place(folder))
        publish(self._local(folder), storage)
        told("published")
        remote = RemoteFeatureStore.connect(storage, ShardCache(folder / "cache"))
        self._compare(remote, self._local(folder))
        told("read")

    def check(self, folder: Path, told: Sequence[str]) -> None:
        """What has a manifest is whole."""
        storage = Storage(self._bucket.place(folder))
        if storage.read(MANIFEST_FILE) is None:
            assert "published" not in told, "what was published is gone"
            return
        remote = RemoteFeatureStore.connect(storage, ShardCache(folder / "seen"))
        remote.verify()
        local = self._local(folder)
        assert remote.manifest == local.manifest or "published" not in told
        if remote.manifest == local.manifest:
            self._compare(remote, local)

    def check_end(self, folder: Path) -> None:
        self.check(folder, ["published"])
        files = {MANIFEST_FILE, *(shard.file for shard in self._local(folder).manifest.shards)}
        assert set(self._bucket.objects(folder)) == files
        cached = [path for path in (folder / "cache").iterdir() if path.suffix == ".tmp"]
        assert not cached, cached

    def _make(self, folder: Path, shade: int) -> None:
        extraction(shade).run(folder / f"store-{shade}")

    def _local(self, folder: Path) -> FeatureStore:
        return FeatureStore.open(folder / "store-9")

    @staticmethod
    def _compare(one: FeatureStore, other: FeatureStore) -> None:
        rows = np.arange(len(other))
        (found,), (expected,) = one.levels(rows), other.levels(rows)
        assert torch.equal(found, expected), "other features"


class ReplacedFeatures(RemoteFeatures):
    """The same where other features of the same sizes were published before."""

    name = "replaced features"

    def prepare(self, folder: Path) -> None:
        self._make(folder, shade=9)
        self._make(folder, shade=90)
        before, place = folder / "store-90", Storage(self._bucket.place(folder))
        life = forked(lambda _: publish(FeatureStore.open(before), place))
        assert life.word == "done", life.text


class RemoteCheckpoints:
    """A trial's epochs on their way to Tune's storage: the actor, and Tune's code for storing."""

    name = "remote checkpoint"

    def __init__(self, endpoint: str) -> None:
        self._bucket = Bucket(endpoint)
        self.port = self._bucket.port

    def prepare(self, folder: Path) -> None:
        trained()

    def work(self, folder: Path, told: Told) -> None:
        tempfile.tempdir = str(folder.parent)  # not watched: another machine goes on
        trial = _trial(self._bucket.place(folder))
        assert trial._trainer is not None
        while trial._trainer.epoch < NUM_EPOCHS:
            trial.step()
            trial.save()
            told(f"{trial._trainer.epoch}")

    def check(self, folder: Path, told: Sequence[str]) -> None:
        if told:
            assert self._restored(folder)["epoch"] >= int(told[-1]), "an epoch is lost"

    def check_end(self, folder: Path) -> None:
        state = self._restored(folder)
        assert same({key: value for key, value in state.items() if key != "busy_s"}, trained())

    def _restored(self, folder: Path) -> dict[str, Any]:
        trainer = Trainer(_config(), tiny_split(), ArraySource())
        restore_newest(trainer, list_checkpoints(self._bucket.place(folder), "s", MAX_LIVES, TRIAL))
        return trainer.state()


def _config() -> Config:
    return tiny_config(training__epochs=NUM_EPOCHS, training__steps_per_epoch=1)


def _trial(place: str) -> DrmnTrainable:
    """As Tune makes it in a driver's next life, but without its log folders."""
    trainable._open_data = lambda _: trainable._Data(split=tiny_split(), source=ArraySource())
    found = list_checkpoints(place, "s", MAX_LIVES, TRIAL)
    lives = [
        n for n in range(1, MAX_LIVES) if any(f"/{attempt_name('s', n)}/" in uri for uri in found)
    ]
    trial: DrmnTrainable = object.__new__(DrmnTrainable)
    trial._storage = StorageContext(
        **tune_storage(place),
        experiment_dir_name=attempt_name("s", 1 + max(lives, default=0)),
        trial_dir_name=TRIAL_FOLDER.format(trial=TRIAL),
    )
    trial._last_result = None
    context = TrialContext(config=_config().flat(), data_root="", features=None, num_threads=1)
    trial.setup({OVERRIDES: {}, CHECKPOINTS: found}, context)
    return trial
