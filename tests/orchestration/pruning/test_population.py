"""Population-based training: who moves, to whom, with what; killed anywhere it decides the same."""

from pathlib import Path

import pytest

from drmn.errors import ConfigError
from drmn.presets import sprites
from orchestration.events import Change
from orchestration.ledger import LEDGER_FILE, Ledger, TrialHistory
from orchestration.pruning.journal import Journal
from orchestration.pruning.moving import perturbed, taken_up
from orchestration.pruning.population import FACTORS, Move, PopulationBased
from orchestration.pruning_rule import Pruner, PruningRule
from orchestration.request import SweepRequest
from orchestration.sampling import SamplerName, SamplerRule
from search_spaces.domain import Choice, Uniform
from search_spaces.paper import LAMBDA_GC, LAMBDA_SC
from search_spaces.registry import search_space

EPOCHS = 6


def _rule(seed: int = 0) -> PopulationBased:
    return PopulationBased(interval=2, max_epochs=EPOCHS, seed=seed)


def _reports() -> list[tuple[str, int, float]]:
    """Eight trials side by side whose ranks turn with the epochs."""
    return [
        (f"{trial:04d}", epoch, ((trial * 5 + epoch * 3) % 8) / 8)
        for epoch in range(1, EPOCHS + 1)
        for trial in range(8)
    ]


def test_the_worst_quarter_of_those_that_came_moves_to_one_of_the_best() -> None:
    rule = _rule()
    for trial, value in (("0000", 0.5), ("0001", 0.9), ("0002", 0.8), ("0003", 0.7)):
        assert rule.goes_on(trial, 2, value)
    assert rule.moves == {}
    assert rule.goes_on("0004", 2, 0.1)
    assert rule.moves["0004", 2].donor in ("0001", "0002")
    assert set(rule.moves["0004", 2].factors) == {LAMBDA_SC, LAMBDA_GC}
    assert set(rule.moves["0004", 2].factors.values()) <= set(FACTORS)


def test_nobody_moves_alone_between_comparisons_or_after_the_last_epoch() -> None:
    rule = _rule()
    assert rule.goes_on("0000", 2, 0.5)
    for epoch, goes_on in ((1, True), (3, True), (EPOCHS, False)):
        assert rule.goes_on("0000", epoch, 0.9) is goes_on
        assert rule.goes_on("0001", epoch, 0.1) is goes_on
    assert rule.moves == {}
    assert rule.stopped == {}


def test_equals_do_not_move() -> None:
    rule = _rule()
    for trial in ("0000", "0001", "0002"):
        rule.goes_on(trial, 2, 0.5)
    assert rule.moves == {}


def test_who_has_moved_after_an_epoch_is_nobodys_donor_there() -> None:
    rule = _rule()
    for trial, value in (("0000", 0.9), ("0001", 0.5), ("0002", 0.1), ("0003", 0.1)):
        rule.goes_on(trial, 2, value)
    for number in range(4, 12):
        rule.goes_on(f"{number:04d}", 2, 0.01 * (12 - number))
    assert ("0001", 2) in rule.moves
    assert "0001" not in {move.donor for move in rule.moves.values()}


def test_what_is_drawn_follows_from_the_seed() -> None:
    drawn = []
    for seed in (0, 0, 1):
        rule = _rule(seed)
        for report in _reports():
            rule.goes_on(*report)
        drawn.append(rule.moves)
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0].keys() == drawn[2].keys()


def test_killed_after_any_report_and_resumed_it_decides_the_same(tmp_path: Path) -> None:
    undisturbed = _rule()
    for report in _reports():
        undisturbed.goes_on(*report)
    assert len({trial for trial, _ in undisturbed.moves}) > 1
    for killed in range(1, len(_reports())):
        file = tmp_path / f"{killed}.jsonl"
        first, rule = Journal(_rule(), file), _rule()
        for report in _reports()[:killed]:
            first.goes_on(*report)
        second = Journal(rule, file)
        for report in _reports()[killed - 1 :]:
            second.goes_on(*report)
        assert rule.moves == undisturbed.moves


def test_weights_stay_in_their_ranges_and_choices_stay() -> None:
    move = Move(donor="0001", factors={LAMBDA_SC: 0.8, LAMBDA_GC: 1.2})
    weights = {"lambda_sc": 0.5, "lambda_gc": 1.0}
    space = {LAMBDA_SC: Uniform(low=0.45, high=1.0), LAMBDA_GC: Uniform(low=0.0, high=1.1)}
    assert perturbed(space, weights, move) == {"lambda_sc": 0.45, "lambda_gc": 1.1}
    chosen = {LAMBDA_SC: Choice(options=(0.5, 1.0)), LAMBDA_GC: Uniform(low=0.0, high=9.0)}
    assert perturbed(chosen, weights, move) == {"lambda_gc": 1.2}


def test_the_ledger_keeps_what_each_epoch_was_trained_with(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / LEDGER_FILE)
    before = {LAMBDA_SC: 0.1}
    after = {LAMBDA_SC: 0.2, "loss.schedule": "2:lambda_sc=0.16"}
    ledger.started("0000", before)
    ledger.epoch_ended("0000", 1, {"val/gzsl_harmonic": 0.1})
    ledger.changed("0000", Change(epoch=1, donor="0001", overrides=dict(after)))
    ledger.started("0000", before)
    ledger.epoch_ended("0000", 2, {"val/gzsl_harmonic": 0.5})
    history = Ledger(tmp_path / LEDGER_FILE).histories()["0000"]
    assert (history.overrides_at(1), history.overrides_at(2)) == (before, after)
    assert history.changes[1].donor == "0001"
    assert ledger.winner("val/gzsl_harmonic").overrides == after
    assert '"donor_epoch": 1' in (tmp_path / LEDGER_FILE).read_text()


def test_a_resumed_trial_has_its_donors_checkpoint_behind_its_own() -> None:
    history = TrialHistory(overrides={})
    assert taken_up(history, ["own"], lambda *_: ["other"]) == ["own"]
    history.changes[2] = Change(epoch=2, donor="0003", overrides={})
    asked = taken_up(history, ["own"], lambda donor, epoch: [f"{donor}-{epoch}"])
    assert asked == ["own", "0003-2"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_trials": 3}, "`trials` is 3, but must be >= 4"),
        ({"sampler": SamplerRule(name=SamplerName.TPE)}, "the sampler is tpe"),
        ({"space": {LAMBDA_SC: Choice(options=(0.1, 0.2))}}, "no range"),
    ],
)
def test_what_is_no_population_is_refused(changes: dict[str, object], message: str) -> None:
    request: dict[str, object] = {
        "name": "s",
        "variant": "+ensemble",
        "config": sprites(),
        "space": search_space("sprites"),
        "data_root": Path("nowhere"),
        "num_trials": 4,
        "paper_first": False,
        "sampler": SamplerRule(name=SamplerName.RANDOM),
        "pruning": PruningRule(pruner=Pruner.PBT),
    }
    SweepRequest(**request)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=message):
        SweepRequest(**{**request, **changes})  # type: ignore[arg-type]
