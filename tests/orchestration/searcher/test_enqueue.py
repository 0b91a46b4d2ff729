"""A file of configurations to try first is refused with what would have been right."""

from pathlib import Path

import pytest

from drmn.errors import ConfigError
from drmn.presets import sprites
from orchestration.searcher.enqueue import read_enqueued
from search_spaces.domain import Choice, Uniform

SPACE = {
    "inference.beta": Uniform(low=0, high=1),
    "loss.lambda_sc": Uniform(low=0, high=0.5),
    "model.sit.heads": Choice(options=(2, 4)),
}
PRESET = sprites().with_overrides(
    {"inference.beta": 0.3, "loss.lambda_sc": 0.9, "model.sit.heads": 2}
)


def _read(folder: Path, text: str) -> tuple[dict[str, object], ...]:
    path = folder / "first.yaml"
    path.write_text(text)
    return read_enqueued(path, SPACE, PRESET.flat())  # type: ignore[return-value]


def test_names_may_be_short_and_the_preset_fills_what_is_left_out(tmp_path: Path) -> None:
    first, second = _read(tmp_path, "- {beta: 1, lambda_sc: 0.1}\n- {model.sit.heads: 4}\n")
    assert first == {"inference.beta": 1.0, "loss.lambda_sc": 0.1, "model.sit.heads": 2}
    assert isinstance(first["inference.beta"], float)
    assert second == {"inference.beta": 0.3, "model.sit.heads": 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("beta: 0.5", "holds dict, but must be a list"),
        ("", "holds NoneType"),
        ("- [", "cannot be read"),
        ("- 0.5", "entry 1: is 0.5, but must map"),
        (
            "- {beta: 0.5}\n- {betta: 1}",
            "entry 2: 'betta' is 0 .*\n.*use one of: inference.beta",
        ),
        ("- {beta: 1.5}", r"inference.beta is 1.5, but must be in Uniform\(low=0, high=1\)"),
        ("- {beta: true}", "inference.beta is True"),
        ("- {beta: [1]}", r"inference.beta is \[1\]"),
        ("- {heads: 3}", r"but must be in Choice\(options=\(2, 4\)\)"),
        ("- {beta: 0.5, inference.beta: 0.6}", "inference.beta is given twice"),
        ("- !!python/object/apply:os.getcwd []", "cannot be read"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_the_rule(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        _read(tmp_path, text)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        read_enqueued(tmp_path / "none.yaml", SPACE, PRESET.flat())


def test_a_mistake_is_told_with_the_form_that_is_wanted(tmp_path: Path) -> None:
    wanted = "write a YAML list with one mapping per trial, such as `- {lambda_sc: 0.1, beta: 0.3}`"
    for text in ("- [", "beta: 0.5", "- 0.5"):
        with pytest.raises(ConfigError) as caught:
            _read(tmp_path, text)
        assert caught.value.remedy == wanted
    with pytest.raises(ConfigError) as caught:
        _read(tmp_path, "- {betta: 1}")
    assert caught.value.remedy == f"use one of: {', '.join(SPACE)}"


def test_a_choice_keeps_its_kind_and_may_be_nothing(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("- {heads: 4}\n- {weights: null}\n- {weights: [1]}\n")
    space = {"a.heads": Choice(options=(2, 4)), "a.weights": Choice(options=(None, "x", [1]))}
    with pytest.raises(ConfigError, match=r"a.weights is \[1\]"):
        read_enqueued(tmp_path / "f", space, {"a.heads": 2, "a.weights": None})  # type: ignore[dict-item]
    (tmp_path / "f").write_text("- {heads: 4}\n- {weights: null}\n")
    first, second = read_enqueued(tmp_path / "f", space, {"a.heads": 2, "a.weights": "x"})  # type: ignore[dict-item]
    assert first == {"a.heads": 4, "a.weights": "x"}
    assert isinstance(first["a.heads"], int)
    assert second == {"a.heads": 2, "a.weights": None}
