"""Weights files: what is read, and what is refused and how."""

import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from drmn import vision
from drmn.errors import DataError
from drmn.model.weights import hash_tensors, load_network

NAME = "resnet18"


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    """Other weights than the random ones of a fixed seed, classifier included."""
    torch.manual_seed(1)
    return vision.new_network(NAME).state_dict()


def _npz(path: Path, tensors: dict[str, Tensor]) -> Path:
    np.savez(path, **{name: tensor.numpy() for name, tensor in tensors.items()})
    return path


def _pth(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def test_npz_and_pth_load_the_same(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    loaded = [
        load_network(NAME, str(_npz(tmp_path / "w.npz", tensors))),
        load_network(NAME, str(_pth(tmp_path / "w.pth", tensors))),
    ]
    for network, digest in loaded:
        assert digest == hash_tensors(tensors) != load_network(NAME, "none")[1]
        assert torch.equal(network.state_dict()["conv1.weight"], tensors["conv1.weight"])


def test_classifier_and_batch_counters_are_optional(
    tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    bare = {n: t for n, t in tensors.items() if not n.startswith("fc.") and "num_b" not in n}
    _, digest = load_network(NAME, str(_npz(tmp_path / "w.npz", bare)))
    assert digest == hash_tensors(tensors)


def test_one_changed_value_changes_the_hash(tensors: dict[str, Tensor]) -> None:
    changed = {**tensors, "bn1.bias": tensors["bn1.bias"] + 1}
    assert hash_tensors(changed) != hash_tensors(tensors)


@pytest.mark.parametrize(
    ("changes", "removed", "message"),
    [
        ({}, "conv1.weight", r"1 key\(s\) \(conv1.weight\) missing, no key unexpected"),
        ({"layer9.weight": (1,)}, "", r"no key missing, 1 key\(s\) \(layer9.weight\) unexpected"),
        ({"bn1.bias": (65,)}, "", r"bn1.bias has the shape \(65,\), but must have \(64,\)"),
    ],
)
def test_another_networks_weights_are_refused(
    tensors: dict[str, Tensor],
    tmp_path: Path,
    changes: dict[str, tuple[int, ...]],
    removed: str,
    message: str,
) -> None:
    content = {**tensors, **{name: torch.zeros(shape) for name, shape in changes.items()}}
    content.pop(removed, None)
    path = _npz(tmp_path / "w.npz", content)
    with pytest.raises(DataError, match=message) as raised:
        load_network(NAME, str(path))
    assert str(path) in raised.value.message
    assert "--backbone" in raised.value.remedy


def test_nan_is_refused(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    path = _npz(tmp_path / "w.npz", {**tensors, "bn1.bias": torch.full((64,), torch.nan)})
    with pytest.raises(DataError, match=r"w\.npz: bn1\.bias holds values that are NaN"):
        load_network(NAME, str(path))


@pytest.mark.parametrize("suffix", [".npz", ".pth"])
@pytest.mark.parametrize("keep", [0, 10, 1000, -30])
def test_damaged_files_are_refused(
    tensors: dict[str, Tensor], tmp_path: Path, suffix: str, keep: int
) -> None:
    path = tmp_path / f"w{suffix}"
    small = {"bn1.bias": tensors["bn1.bias"]}
    _ = _npz(path, small) if suffix == ".npz" else _pth(path, small)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=rf"w\{suffix}"):
        load_network(NAME, str(path))


def test_files_that_hold_code_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", a=np.array([{"an": "object"}], dtype=object))
    for path in (tmp_path / "w.npz", _pth(tmp_path / "w.pt", {"a": Path("x")})):
        with pytest.raises(DataError, match="cannot be read"):
            load_network(NAME, str(path))


def test_a_file_around_the_state_is_refused(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    path = _pth(tmp_path / "w.pt", {"epoch": 3, "model": tensors})
    with pytest.raises(DataError, match="dictionary of tensors"):
        load_network(NAME, str(path))


@pytest.mark.parametrize("name", ["absent.npz", "w.txt"])
def test_no_weights_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "w.txt").write_text("x")
    with pytest.raises(DataError, match=name):
        load_network(NAME, str(tmp_path / name))


def test_without_network_a_local_file_is_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(name: str) -> dict[str, Tensor]:
        raise urllib.error.URLError(f"no route to the site of {name}")

    monkeypatch.setattr(vision, "download_weights", unreachable)
    with pytest.raises(DataError, match="resnet18 could not be downloaded") as raised:
        load_network(NAME, "imagenet")
    assert "--weights FILE" in raised.value.remedy


def test_old_names_of_densenet_are_understood(tmp_path: Path) -> None:
    network, digest = load_network("densenet169", "none")
    old = {
        name.replace("norm1.", "norm.1.").replace("conv2.", "conv.2.")
        if "denselayer" in name
        else name: tensor
        for name, tensor in network.state_dict().items()
    }
    assert old.keys() != network.state_dict().keys()
    assert load_network("densenet169", str(_pth(tmp_path / "w.pth", old)))[1] == digest


def test_real_weights(shared_data: Path) -> None:
    path = shared_data / "weights" / "densenet169_imagenet_features.npz"
    network, _ = load_network("densenet169", str(path))
    with np.load(path) as file:
        expected = torch.from_numpy(file["features.norm5.running_var"])
    assert torch.equal(network.state_dict()["features.norm5.running_var"], expected)
