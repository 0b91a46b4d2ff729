"""Hostile values on the command line: a message and an exit code, never a traceback."""

from pathlib import Path
from zlib import crc32

import pytest
from hostile_commands import NEEDED, VALUES, commands, harmless, trials, tried

_EVERY = 12
"""Of all combinations one in so many is tried here; benchmarks/fuzz.py tries all."""


@pytest.mark.parametrize("part", range(4))
def test_hostile_values_are_refused_in_words(
    part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = harmless(monkeypatch, tmp_path)
    numbered = {each: crc32(repr(each).encode()) for each in trials()}
    chosen = [each for each, number in numbered.items() if number % (4 * _EVERY) == part * _EVERY]
    assert len(chosen) > 50
    outcomes = [tried(each, places) for each in chosen]
    assert outcomes.count("refused") > len(outcomes) / 4


def test_every_command_and_option_is_there() -> None:
    found = {" ".join(path): {p.name for p in command.params} for command, path in commands()}
    assert {"sweep", "ablate", "train", "predict", "data check", "runs resume"} <= set(found)
    assert "sampler" in found["sweep"]
    required = {p.name for c, _ in commands() for p in c.params if p.required}
    assert required <= set(NEEDED), "give what a command needs a value in NEEDED"
    options = {(each.command, each.option) for each in trials(VALUES[:1])}
    assert len(options) > 80
