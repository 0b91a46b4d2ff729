"""The configuration tree: paths, types, ranges, hash."""

import pytest

from drmn.config import Config, parse_override
from drmn.errors import ConfigError
from drmn.presets import PRESETS, preset
from drmn.variants import TABLE_2, TABLE_3, VARIANTS, variant


def test_flat_and_back() -> None:
    config = preset("cub")
    assert Config.from_flat(config.flat()) == config


def test_the_hash_sees_every_change() -> None:
    assert Config().hash() == Config().hash()
    assert Config().with_overrides({"training.seed": 1}).hash() != Config().hash()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("loss.lambda_sc=0.2", ("loss.lambda_sc", 0.2)),
        ("model.fusion.channels=none", ("model.fusion.channels", None)),
        ("model.sit.enabled=false", ("model.sit.enabled", False)),
        ("backbone.train=none", ("backbone.train", "none")),
        ("backbone.weights=1234", ("backbone.weights", "1234")),
    ],
)
def test_an_override_is_typed_by_its_field(text: str, expected: tuple[str, object]) -> None:
    assert parse_override(text) == expected
    Config().with_overrides(dict([parse_override(text)]))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model.sit.head": 8}, "did you mean 'heads'"),
        ({"model.sit.heads": "many"}, "must be an integer"),
        ({"model.sit.heads": True}, "must be an integer"),
        ({"inference.beta": 1.2}, r"must lie in \[0, 1\]"),
        ({"loss.preset": "papre"}, "one of 'paper'"),
        ({"loss": 3}, "group of settings"),
        ({"loss.lambda_sc": float("nan")}, "finite"),
        ({"optimiser.lr": 0.0}, "must be > 0"),
        ({"optimiser.clip_grad_norm": 0.0}, "must be > 0"),
        ({"training.steps_per_epoch": 0}, "must be >= 1"),
        ({"model.fusion.channels": 0}, "must be >= 1"),
        ({"model.sit.attention_dropout": 2.0}, r"must lie in \[0, 1\)"),
        ({"model.sit.loss_weight": -1.0}, "must be >= 0"),
        ({"data.image_size": -5}, "must be >= 1"),
        ({"training.augmentation": "flip"}, "cannot be augmented"),
    ],
)
def test_a_mistake_names_value_and_rule(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config().with_overrides(overrides)  # type: ignore[arg-type]


def test_an_override_without_equals_is_refused() -> None:
    with pytest.raises(ConfigError, match="path=value"):
        parse_override("loss.lambda_sc")


@pytest.mark.parametrize(
    ("dataset", "lambda_sc", "lambda_gc", "beta"),
    [("cub", 0.1, 0.6, 0.3), ("sun", 0.1, 0.6, 0.4), ("awa2", 0.2, 0.5, 0.3)],
)
def test_presets_hold_the_papers_settings(
    dataset: str, lambda_sc: float, lambda_gc: float, beta: float
) -> None:
    config = PRESETS[dataset]()
    assert (config.loss.lambda_sc, config.loss.lambda_gc) == (lambda_sc, lambda_gc)
    assert config.inference.beta == beta
    assert config.model.channel_attention.reduction == 4
    assert (config.optimiser.lr, config.optimiser.halve_every_epochs) == (1e-3, 10)


def _changes(name: str, other: str) -> set[str]:
    left, right = (variant(n).apply(Config()).flat() for n in (name, other))
    return {path for path in left if left[path] != right[path]}


@pytest.mark.parametrize(
    ("name", "other", "paths"),
    [
        ("baseline", "+MFF", {"model.fusion.enabled"}),
        ("baseline", "+ACA", {"model.channel_attention.enabled"}),
        ("baseline", "+DAB", {"model.fusion.enabled", "model.channel_attention.enabled"}),
        ("baseline", "+SIT", {"model.sit.enabled"}),
        ("+DAB", "+DAB+SIT", {"model.sit.enabled"}),
        ("+DAB+SIT", "+global", {"model.global_branch.enabled"}),
        ("+global", "+ensemble", {"inference.ensemble"}),
    ],
)
def test_rows_differ_by_exactly_their_named_overrides(
    name: str, other: str, paths: set[str]
) -> None:
    assert _changes(name, other) == paths


def test_the_tables_have_the_papers_rows() -> None:
    assert [row.name for row in TABLE_2] == [
        "baseline", "+DAB", "+SIT", "+DAB+SIT", "+global", "+ensemble",
    ]  # fmt: skip
    assert [row.name for row in TABLE_3] == ["baseline", "+MFF", "+ACA", "+DAB"]
    assert set(VARIANTS) == {row.name for row in (*TABLE_2, *TABLE_3)}


def test_an_unknown_row_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"\+ensemble"):
        variant("+everything")
