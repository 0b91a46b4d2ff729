"""Descriptions: tables that fit MLflow's tag, the best first, whatever state trials are in."""

from dataclasses import replace
from pathlib import Path

import pytest

from drmn.names import GZSL_HARMONIC, LOSS_TOTAL, OBJECTIVE
from drmn.presets import sprites
from orchestration.events import Fate
from orchestration.final import WINNER, Contender, FinalResult, FinalScores
from orchestration.ledger import TrialHistory
from orchestration.notes.of_studies import row_note, seed_note, study_note
from orchestration.notes.of_sweeps import final_note, sweep_note, trial_note
from orchestration.notes.writing import MAX_LENGTH, SCORES, table
from orchestration.request import SweepRequest
from orchestration.stopping.budget import OPEN_ENDED, Budget
from orchestration.study.catalogue import known_study
from search_spaces.registry import search_space

NAMES = ("0000", "0001", "0002", "0003")
VALUES = (0.25, 0.5, None, 0.4)
FATES = (Fate.COMPLETE, Fate.PRUNED, Fate.FAILED, None)
SEED = dict.fromkeys(SCORES, 0.5)


@pytest.fixture
def request_(tmp_path: Path) -> SweepRequest:
    return SweepRequest(
        name="s",
        variant="+ensemble",
        config=sprites(),
        space=search_space("sprites"),
        data_root=tmp_path,
        num_trials=300,
    )


def _history(value: float | None, fate: Fate | None) -> TrialHistory:
    epochs = {} if value is None else {1: {OBJECTIVE: value - 0.1}, 2: {OBJECTIVE: value}}
    found = TrialHistory(overrides={"loss.lambda_sc": 0.123456, "loss.lambda_gc": 1}, epochs=epochs)
    found.fate = fate
    return found


def _histories() -> dict[str, TrialHistory]:
    return {n: _history(v, f) for n, v, f in zip(NAMES, VALUES, FATES, strict=True)}


def _tested(num_seeds: int) -> FinalScores:
    contender = Contender(name=WINNER, config=sprites(), num_seeds=num_seeds)
    result = FinalResult(scores=SEED, history=[], files={})
    return FinalScores(contender=contender, results=dict.fromkeys(contender.seeds, result))


def test_a_sweep_shows_every_trial_the_best_first(request_: SweepRequest) -> None:
    said = sweep_note(request_, _histories())
    rows = [line for line in said.splitlines() if line.startswith("| 0")]
    assert [row.split(" | ")[0] for row in rows] == ["| 0001", "| 0003", "| 0000", "| 0002"]
    assert rows[0] == "| 0001 | pruned | 2 | 50.0 % | 2 | 1 | 0.1235 |"
    assert rows[-1] == "| 0002 | failed | 0 | – | – | 1 | 0.1235 |"
    assert "1 complete, 1 pruned, 1 failed, 1 under way" in said
    assert "| the winner's settings | 2 | 50.0 ± 0.0 |" in sweep_note(
        request_, _histories(), [_tested(2)]
    )


def test_a_sweep_before_its_first_trial_says_what_it_is(request_: SweepRequest) -> None:
    said = sweep_note(request_, {})
    assert "300 trials of `+ensemble` on sprites" in said
    assert "|" not in said
    budget = Budget(wall_h=1.0)
    open_ended = sweep_note(replace(request_, num_trials=OPEN_ENDED, budget=budget), {})
    assert "as many trials as its budget lets of `+ensemble`" in open_ended


def test_hundreds_of_trials_fit_and_those_left_out_are_counted(request_: SweepRequest) -> None:
    many = {f"{n:04}": _history(n / 1000, Fate.COMPLETE) for n in range(300)}
    said = sweep_note(request_, many, [_tested(5)])
    assert MAX_LENGTH - 200 < len(said) <= MAX_LENGTH
    num_shown = sum(line.startswith("| 0") for line in said.splitlines())
    assert said.endswith(f"and {300 - num_shown} more")
    assert "| 0299 |" in said


def test_a_trial_says_its_settings_and_what_came_of_them() -> None:
    said = trial_note("s", OBJECTIVE, "0001", _histories()["0001"])
    assert "`loss.lambda_gc` 1, `loss.lambda_sc` 0.1235" in said
    assert f"Pruned after epoch 2; best `{OBJECTIVE}` 50.0 %, after epoch 2." in said
    failed = _histories()["0002"]
    failed.reason = "loss is nan"
    assert trial_note("s", OBJECTIVE, "0002", failed).endswith(
        "Failed after epoch 0.\n\nloss is nan"
    )


def test_a_lower_loss_is_the_better_one() -> None:
    history = TrialHistory(overrides={}, epochs={1: {LOSS_TOTAL: 1.5}, 2: {LOSS_TOTAL: 2.5}})
    said = trial_note("s", LOSS_TOTAL, "0000", history)
    assert "best `loss/total` 1.5, after epoch 1" in said
    assert "the recipe itself" in said


def test_a_final_run_says_whose_settings_it_tests() -> None:
    said = final_note("s", _tested(1))
    assert said.startswith("The winner's settings in the sweep **s**")
    assert "| the winner's settings | 1 | 50.0 | 50.0 | 50.0 | 50.0 |" in said


def test_what_was_chosen_on_test_says_so_first(request_: SweepRequest) -> None:
    leaking = request_.config.with_overrides({"validation.protocol": "best-on-test"})
    tested = _tested(1)
    contender = replace(tested.contender, config=leaking)
    for said in (
        sweep_note(replace(request_, config=leaking), {}),
        final_note("s", replace(tested, contender=contender)),
    ):
        assert said.startswith("**best-on-test: settings, epoch and beta were chosen on test")


def test_a_study_shows_its_rows_in_order_and_the_rest_as_missing() -> None:
    study = known_study("table2")
    rows = {"+ensemble": {0: SEED, 1: SEED}, "baseline": {0: SEED}}
    said = study_note("mine", "cub", study, "test", rows)
    assert "2 of 6 rows" in said
    assert said.index("| baseline | 1 | 50.0 |") < said.index("| +ensemble | 2 | 50.0 ± 0.0 |")
    assert "|" not in study_note("mine", "cub", study, "test", {})


def test_a_row_and_its_seeds_say_what_they_scored() -> None:
    said = row_note(known_study("table2"), "+SIT", "test", {1: SEED, 0: SEED})
    assert "`model.sit.enabled` True" in said
    assert said.index("| mean | 50.0 ± 0.0 |") < said.index("| 0 | 50.0") < said.index("| 1 | 50.0")
    assert seed_note("+SIT", 0, "test", {**SEED, GZSL_HARMONIC: 0.25}).endswith("H 25.0 %.")


def test_a_cell_breaks_no_table() -> None:
    assert table(["a"], [["x|y\nz"]]) == "| a |\n| --- |\n| x\\|y z |"
