"""Checkpoints: whole or absent, sealed, free of code, and the previous one as a way out."""

import logging
import os
import pickle

import pytest
import torch

from drmn import checkpoint
from drmn.checkpoint import (
    check_same,
    checkpoint_path,
    discard_old,
    list_checkpoints,
    load_checkpoint,
    load_latest,
    save_checkpoint,
)
from drmn.errors import CheckpointError

STATE = {"epoch": 3, "weights": {"w": torch.arange(6.0).view(2, 3)}, "note": "plain", "none": None}


def saved(folder, epoch=3):
    path = checkpoint_path(folder, epoch)
    save_checkpoint(path, {**STATE, "epoch": epoch})
    return path


def test_what_is_saved_is_loaded(tmp_path):
    loaded = load_checkpoint(saved(tmp_path / "new" / "folder"))
    assert torch.equal(loaded["weights"]["w"], STATE["weights"]["w"])
    assert {**loaded, "weights": None} == {**STATE, "weights": None}


def test_the_same_state_gives_the_same_bytes(tmp_path):
    assert saved(tmp_path / "a").read_bytes() == saved(tmp_path / "b").read_bytes()


@pytest.mark.parametrize("num_bytes", [0, 10, 76, 200, -1])
def test_a_truncated_file_is_refused(tmp_path, num_bytes):
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:num_bytes])
    with pytest.raises(CheckpointError, match=rf"{path.name}.*truncated.*must be whole"):
        load_checkpoint(path)


@pytest.mark.parametrize("place", [0, 100, 500])
def test_a_tampered_file_is_refused(tmp_path, place):
    path = saved(tmp_path)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"{path.name}.*altered"):
        load_checkpoint(path)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"nowhere\.ckpt cannot be read \(No such file"):
        load_checkpoint(tmp_path / "nowhere.ckpt")


class Intruder:
    def __reduce__(self):
        return (os.mkdir, ("intruded",))


def test_nothing_is_executed_even_under_a_valid_seal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_checkpoint(tmp_path / "evil.ckpt", {"x": Intruder()})
    with pytest.raises(CheckpointError, match=r"evil\.ckpt holds more than tensors"):
        load_checkpoint(tmp_path / "evil.ckpt")
    assert not (tmp_path / "intruded").exists()


def test_the_newest_is_loaded(tmp_path):
    for epoch in (1, 2, 11, 100_000):
        saved(tmp_path, epoch)
    path, state = load_latest(tmp_path)
    assert path == checkpoint_path(tmp_path, 100_000) and state["epoch"] == 100_000


def test_a_damaged_newest_falls_back_to_the_one_before(tmp_path, caplog):
    saved(tmp_path, 1)
    damaged = saved(tmp_path, 2)
    damaged.write_bytes(damaged.read_bytes()[:-3])
    with caplog.at_level(logging.WARNING):
        path, state = load_latest(tmp_path)
    assert path == checkpoint_path(tmp_path, 1) and state["epoch"] == 1
    assert damaged.name in caplog.text and "before it is used" in caplog.text


def test_without_a_usable_one_the_folder_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        load_latest(tmp_path)
    saved(tmp_path).write_bytes(b"")
    with pytest.raises(CheckpointError, match="none of the 1 checkpoints"):
        load_latest(tmp_path)


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = saved(tmp_path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("drmn.atomic.os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, {"epoch": 4})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_unpicklable_state_leaves_no_file(tmp_path):
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        save_checkpoint(checkpoint_path(tmp_path, 1), {"x": lambda: None})
    assert list(tmp_path.iterdir()) == []


def test_only_the_newest_are_kept(tmp_path):
    for epoch in range(1, 6):
        saved(tmp_path, epoch)
        discard_old(tmp_path)
    kept = [checkpoint_path(tmp_path, epoch) for epoch in (5, 4)]
    assert list_checkpoints(tmp_path) == kept
    assert len(kept) == checkpoint.NUM_KEPT


def test_another_configuration_is_named_setting_by_setting():
    here = {"loss.lambda_sc": 0.1, "training.epochs": 30, "model.x": 1, "inference.beta": 0.3}
    there = {"loss.lambda_sc": 0.2, "training.epochs": 2, "model.x": 1, "inference.beta": 0.4}
    check_same("it", there, {**there}, ())
    with pytest.raises(CheckpointError) as caught:
        check_same("it", there, here, ("training.epochs", "inference"))
    assert "loss.lambda_sc (0.2 there, 0.1 here)" in str(caught.value)
    assert "epochs" not in str(caught.value) and "beta" not in str(caught.value)
    with pytest.raises(CheckpointError, match=r"new \('absent' there, None here\)"):
        check_same("it", {}, {"new": None}, ())
