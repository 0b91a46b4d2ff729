"""Draws are a function of their number; a line cut off by a kill is not believed."""

from pathlib import Path

from random_trainings import Recipe, Training, draw, run_trainings

from drmn.config import Config
from search_spaces.paper import BETA, four_parameters

NUM_BETAS = 3


def _recipe() -> Recipe:
    return Recipe(
        config=Config(),
        space=four_parameters(),
        data_root=Path(),
        features="",
        num_betas=NUM_BETAS,
    )


def test_a_draw_depends_on_its_number_alone_and_leaves_beta_apart() -> None:
    overrides, betas = draw(_recipe(), 7)
    assert (overrides, betas) == draw(_recipe(), 7) != draw(_recipe(), 8)
    assert {*overrides, BETA} == set(four_parameters())
    assert all(four_parameters()[path].contains(value) for path, value in overrides.items())
    assert len(set(betas)) == NUM_BETAS


def test_finished_trainings_are_taken_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "trainings.jsonl"
    line = (
        '{"number": 0, "overrides": {}, "betas": [0.5], "at_beta": [[0.25]], '
        '"at_exact_beta": [0.5], "cpu_s": 1.0}\n'
    )
    file.write_text(line + '{"number": 1, "over')
    expected = Training(
        number=0, overrides={}, betas=[0.5], at_beta=[[0.25]], at_exact_beta=[0.5], cpu_s=1.0
    )
    assert run_trainings(_recipe(), 1, file, num_processes=1) == [expected]
    assert file.read_text() == line
