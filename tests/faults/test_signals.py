"""A training ended by a signal says how to go on; gone on with, it equals one never ended."""

import json
import signal
from pathlib import Path

import pytest
from disturbed_commands import TRAIN, Home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


@pytest.mark.usefixtures("hang_up_heard")
def test_a_training_whose_terminal_is_closed_can_be_gone_on_with(tmp_path: Path) -> None:
    home = Home(path=tmp_path / "home")
    home.path.mkdir()
    plain, disturbed = ([*TRAIN, "--out", str(tmp_path / name)] for name in ("plain", "disturbed"))
    assert home.run(plain).code == 0
    end = home.signalled(disturbed, signal.SIGHUP, 3)
    assert (end.code, end.left) == (129, []), end.said
    assert "--resume" in end.said
    again = home.run([*disturbed, "--resume"])
    assert again.code == 0, again.said
    plain_scores, scores = (
        json.loads((tmp_path / name / "scores.json").read_text()) for name in ("plain", "disturbed")
    )
    assert scores == plain_scores
