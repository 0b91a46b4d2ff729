"""The calls of a notebook, on a data set of a few small pictures."""

from pathlib import Path

import pytest
import torch
from distributions import write_folder

import drmn
from drmn import Trained, evaluate, load_dataset, train
from drmn.deployed.saved_model import load_model
from drmn.errors import ConfigError, DataError
from drmn.names import BETA_EXACT, GZSL_HARMONIC, GZSL_HARMONIC_AT_BETA_EXACT

TINY = {
    "data.image_size": 32,
    "backbone.name": "resnet18",
    "backbone.weights": "none",
    "model.fusion.channels": 8,
    "training.epochs": 2,
    "training.steps_per_epoch": 1,
    "training.classes_per_batch": 2,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("data")
    write_folder(folder / "MINE")
    data = load_dataset("mine", folder)
    return train(data, settings=TINY, cache_root=folder / "cache", device="cpu")


def test_every_exported_name_is_there_and_documented() -> None:
    assert set(drmn.__all__) <= set(dir(drmn))
    for name in drmn.__all__:
        assert getattr(drmn, name).__doc__


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        drmn.trian  # noqa: B018


def test_training_stays_on_validation_unless_told(trained: Trained) -> None:
    assert trained.split.protocol == "validation"
    assert [result.epoch for result in trained.history] == [1, 2]
    assert not torch.isin(
        torch.from_numpy(trained.split.eval_unseen.rows),
        torch.from_numpy(trained.dataset.test_unseen),
    ).any()


def test_final_training_evaluates_the_test_images(trained: Trained, tmp_path: Path) -> None:
    settings = {**TINY, "training.epochs": 1}
    told: list[int] = []
    final = train(
        trained.dataset,
        settings=settings,
        on_test=True,
        cache_root=tmp_path,
        device="cpu",
        on_epoch=lambda result: told.append(result.epoch),
    )
    assert (final.split.protocol, told) == ("test", [1])
    assert (final.split.eval_unseen.rows == trained.dataset.test_unseen).all()


def test_evaluate_takes_any_beta_without_training(trained: Trained) -> None:
    scores = evaluate(trained)
    assert scores == evaluate(trained, beta=trained.config.inference.beta)
    at_best = evaluate(trained, beta=scores[BETA_EXACT])
    assert at_best[GZSL_HARMONIC] == scores[GZSL_HARMONIC_AT_BETA_EXACT]
    with pytest.raises(ConfigError, match="beta"):
        evaluate(trained, beta=1.5)


def test_explanations_are_of_the_asked_images(trained: Trained) -> None:
    rows = trained.split.eval_unseen.rows[:2].tolist()
    attention = trained.explain(rows).attention
    assert attention.shape[:2] == (2, 3)
    assert attention.sum(dim=2) == pytest.approx(torch.ones(2, 3).numpy(), abs=1e-5)
    assert not trained.model.training


def test_tuned_backbone_is_trained_and_explained(trained: Trained, tmp_path: Path) -> None:
    settings = {**TINY, "training.epochs": 1, "backbone.train": "last"}
    live = train(trained.dataset, settings=settings, cache_root=tmp_path, device="cpu")
    assert live.explain([0]).attention.shape[0] == 1
    assert not (tmp_path / "features").exists()


def test_saved_model_is_the_one_that_was_trained(trained: Trained, tmp_path: Path) -> None:
    trained.save(tmp_path / "model.drmn")
    saved = load_model(tmp_path / "model.drmn")
    assert saved.record.scores == evaluate(trained)
    assert saved.config == trained.config


def test_absent_data_says_where_it_was_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=str(tmp_path)):
        load_dataset("birds", tmp_path)
