"""Models as files: nothing is lost, nothing damaged is read, nothing is unpickled."""

import pickle
from dataclasses import replace

import pytest
import torch
from tiny_models import model_of, tiny_dataset, tiny_trainer
from tiny_runs import ArrayImages

from drmn.deployed.network import DeployedNetwork, DeployedReader
from drmn.deployed.saved_model import MODEL_FILE, load_model
from drmn.distributed import ALONE
from drmn.errors import DataError
from drmn.evaluation import evaluate
from drmn.metrics import score
from drmn.sealed import read_sealed, write_sealed


@pytest.fixture(scope="module")
def trainer():
    return tiny_trainer()


@pytest.fixture(scope="module")
def model(trainer):
    return model_of(trainer)


def test_a_file_gives_the_model_back(model, tmp_path):
    model.save(tmp_path / MODEL_FILE)
    for place in (tmp_path, tmp_path / MODEL_FILE):
        back = load_model(place)
        for name in ("config", "class_names", "attribute_names", "specs", "level_dtype", "record"):
            assert getattr(back, name) == getattr(model, name), name
        assert torch.equal(back.attributes, model.attributes)
        assert torch.equal(back.seen, model.seen)
        assert back.weights.keys() == model.weights.keys()
        assert all(torch.equal(back.weights[name], model.weights[name]) for name in back.weights)
    assert sorted(path.name for path in tmp_path.iterdir()) == [MODEL_FILE]


@pytest.mark.parametrize("include_backbone", [True, False])
def test_it_scores_as_the_training_did_bit_for_bit(trainer, tmp_path, include_backbone):
    model_of(trainer, include_backbone=include_backbone).save(tmp_path / MODEL_FILE)
    network = DeployedNetwork(load_model(tmp_path))
    found = evaluate(DeployedReader(network, ArrayImages()), trainer.split, ALONE)
    expected = trainer.evaluate()
    assert torch.equal(found.o, expected.o)
    assert torch.equal(found.g, expected.g)
    assert score(found, trainer.config.inference) == dict(load_model(tmp_path).record.scores)


def test_what_only_training_needs_is_left_out(trainer, model):
    assert any(name.startswith("sit.") for name in trainer.network.model.state_dict())
    assert not any(name.startswith("sit.") for name in model.weights)


def test_building_a_network_leaves_the_random_generator_alone(model):
    before = torch.get_rng_state()
    DeployedNetwork(model)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("place", [10, 5000, -10])
def test_a_flipped_byte_is_noticed(model, tmp_path, place):
    path = tmp_path / MODEL_FILE
    model.save(path)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="checksum"):
        load_model(path)


def test_a_truncated_or_absent_file_is_refused(model, tmp_path):
    path = tmp_path / MODEL_FILE
    with pytest.raises(DataError, match="No such file"):
        load_model(path)
    model.save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="truncated"):
        load_model(path)


class _Runs:
    def __reduce__(self):
        return print, ("this ran",)


def test_code_in_a_file_is_never_run(tmp_path, capsys):
    path = tmp_path / MODEL_FILE
    write_sealed(path, {"about": _Runs()})
    with pytest.raises(DataError, match="more than tensors"):
        load_model(path)
    path.write_bytes(pickle.dumps(_Runs()))
    with pytest.raises(DataError, match="of another kind"):
        load_model(path)
    assert "this ran" not in capsys.readouterr().out


def test_another_version_and_other_content_are_refused(model, tmp_path):
    path = tmp_path / MODEL_FILE
    model.save(path)
    content = read_sealed(path)
    write_sealed(path, {**content, "about": content["about"].replace("drmn-model-1", "drmn-9")})
    with pytest.raises(DataError, match="drmn-9"):
        load_model(path)
    write_sealed(path, {**content, "about": content["about"].replace("bicubic", "nearest")})
    with pytest.raises(DataError, match="nearest"):
        load_model(path)
    write_sealed(path, {"epoch": 3})
    with pytest.raises(DataError, match="no model"):
        load_model(path)


def test_weights_of_another_shape_are_refused(model):
    weights = {**model.weights, "prototypes": torch.zeros(5, 7)}
    with pytest.raises(DataError, match="not of its configuration"):
        DeployedNetwork(replace(model, weights=weights))


def test_a_backbone_left_out_must_be_the_same(trainer):
    model = model_of(trainer, include_backbone=False)
    other = replace(model, backbone=replace(model.backbone, weights_hash="0" * 64))
    with pytest.raises(DataError, match="hash 0000"):
        DeployedNetwork(other)


def test_the_record_names_each_class_that_was_evaluated(model):
    assert set(model.record.class_accuracies) == set(tiny_dataset().class_names)
    unseen = [model.record.class_accuracies[f"class {k}"] for k in (4, 5)]
    assert sum(unseen) / 2 == pytest.approx(model.record.scores["gzsl_unseen"])
