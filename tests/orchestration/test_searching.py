"""The search phase as a whole, its trials played in this process instead of Ray's."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from in_process_trials import InProcessTrials
from optuna.trial import TrialState
from rich.console import Console

from drmn.names import OBJECTIVE
from drmn.presets import sprites
from orchestration import searching
from orchestration.events import CHANGED, CHECKPOINTS, Change, Fate
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.pruning.journal import JOURNAL_FILE
from orchestration.pruning_rule import Pruner, PruningRule
from orchestration.request import SweepRequest
from orchestration.request_file import save_request
from orchestration.sampling import SamplerName, SamplerRule
from orchestration.searcher.storage import STUDY_FILE
from orchestration.searching import SearchParts, SweepInterruptedError, search
from orchestration.settings import Settings, read_settings
from orchestration.stopping.budget import USAGE_FILE, Budget
from search_spaces.registry import search_space

EPOCHS = 4


def _request(**changes: Any) -> SweepRequest:
    values: dict[str, Any] = {
        "name": "s",
        "variant": "+ensemble",
        "config": sprites().with_overrides({"training.epochs": EPOCHS}),
        "space": search_space("sprites"),
        "data_root": Path("nowhere"),
        "num_trials": 2,
        "sampler": SamplerRule(name=SamplerName.RANDOM),
        "pruning": PruningRule(pruner=Pruner.NONE),
    }
    return SweepRequest(**(values | changes))


class Sweep:
    """One sweep's folder, ledger and console; :meth:`search` is one driver's life."""

    def __init__(self, home: Path, patch: Callable[[InProcessTrials], None]) -> None:
        self.settings: Settings = read_settings({"DRMN_HOME": str(home)})
        self.folder = self.settings.home / "sweeps" / "s"
        self.ledger = Ledger(self.folder / LEDGER_FILE)
        self.printed = io.StringIO()
        self.console = Console(file=self.printed, width=200)
        self.context: Any = object()
        self._patch = patch

    def search(self, request: SweepRequest, trials: InProcessTrials, logger: Any = None) -> None:
        self._patch(trials)
        parts = SearchParts(
            folder=self.folder, ledger=self.ledger, context=self.context, logger=logger
        )
        search(request, self.settings, self.console, parts)

    def fates(self) -> dict[str, tuple[Fate | None, str]]:
        return {k: (each.fate, each.reason) for k, each in self.ledger.histories().items()}


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    return Sweep(tmp_path, lambda trials: monkeypatch.setattr(searching, "run_trials", trials))


class _Log:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args: self.told.append((name, *args[:1]))


def _rising(name: str, epoch: int) -> float:
    return (int(name) + epoch) / 100


def test_three_books_agree_after_a_search(sweep: Sweep) -> None:
    request, trials, log = _request(), InProcessTrials(_rising), _Log()
    sweep.search(request, trials, log)
    assert trials.given == (request, sweep.settings, sweep.context)
    seen = trials.seen
    assert (seen["attempt"], seen["unfinished"], seen["changed"]) == (1, {}, {})
    assert seen["trainable"] is SearchParts.trainable
    assert [trial.state for trial in seen["study"].trials] == [TrialState.COMPLETE] * 2
    assert [trial.value for trial in seen["study"].trials] == [0.04, 0.05]
    assert sweep.fates() == {"0000": (Fate.COMPLETE, ""), "0001": (Fate.COMPLETE, "")}
    assert [name for name, *_ in log.told] == 2 * ["started", *4 * ["epoch_ended"], "ended"]
    assert "trial 0001  complete" in sweep.printed.getvalue()
    assert seen["study"].study_name == request.key
    assert {path.name for path in sweep.folder.iterdir()} >= {STUDY_FILE, USAGE_FILE, JOURNAL_FILE}
    assert seen["scheduler"].set_search_properties(OBJECTIVE, "max")
    assert not seen["scheduler"].set_search_properties("other", "max")


def test_a_minimised_objective_is_pruned_from_the_other_end(sweep: Sweep) -> None:
    rule = PruningRule(pruner=Pruner.ASHA, grace_period=1)
    request = _request(objectives=("loss/total",), pruning=rule, num_trials=3)
    trials = InProcessTrials(lambda name, _: {"0000": 0.5, "0001": 0.9, "0002": 0.1}[name])
    sweep.search(request, trials)
    fates = {name: fate for name, (fate, _) in sweep.fates().items()}
    assert fates == {"0000": Fate.COMPLETE, "0001": Fate.PRUNED, "0002": Fate.COMPLETE}
    assert trials.seen["scheduler"].set_search_properties("loss/total", "min")
    assert not trials.seen["scheduler"].set_search_properties("loss/total", "max")
    lines = [json.loads(line) for line in (sweep.folder / JOURNAL_FILE).read_text().splitlines()]
    assert lines[0] == ["0000", 1, -0.5]


def _die(_: InProcessTrials) -> None:
    raise RuntimeError("killed")


def test_a_driver_that_fails_leaves_what_the_next_takes_up(sweep: Sweep) -> None:
    request = _request(num_trials=3)
    with pytest.raises(RuntimeError, match="killed"):
        sweep.search(request, InProcessTrials(_rising, ("0001", 3), _die), first := _Log())
    stopped = (Fate.STOPPED, "its driver failed")
    assert sweep.fates() == {"0000": (Fate.COMPLETE, ""), "0001": stopped}
    assert ("ended", "0001") in first.told
    kept = Path(sweep.settings.sweep_storage) / f"{request.key}-1" / "trial_0001"
    for number in (1, 2):
        (kept / f"checkpoint_00000{number}").mkdir(parents=True)
    trials = InProcessTrials(_rising)
    sweep.search(request, trials, log := _Log())
    assert trials.seen["attempt"] == 2
    found = [str(kept / f"checkpoint_00000{number}") for number in (2, 1)]
    assert trials.seen["unfinished"] == {"0001": found}
    assert trials.suggested[0][CHECKPOINTS] == found
    assert [name for name, *_ in log.told[:6]] == ["started", *4 * ["epoch_ended"], "ended"]
    assert log.told[6:9] == [("started", "0001"), ("epoch_ended", "0001"), ("epoch_ended", "0001")]
    assert {fate for fate, _ in sweep.fates().values()} == {Fate.COMPLETE}
    epochs = [entry[:2] for entry in sweep.ledger.epochs()]
    assert epochs == [(f"{trial:04d}", epoch) for trial in range(3) for epoch in range(1, 5)]


@pytest.mark.parametrize(("code", "expected"), [(143, 143), (130, 130)])
def test_a_signal_ends_it_with_what_to_do_next(sweep: Sweep, code: int, expected: int) -> None:
    trials = InProcessTrials(
        _rising, ("0001", 2), lambda it: it.seen["brake"].pull("SIGTERM", code)
    )
    with pytest.raises(SweepInterruptedError) as caught:
        sweep.search(_request(num_trials=3), trials)
    assert caught.value.message == "1 of 3 trials have ended"
    assert caught.value.remedy == "continue with `drmn runs resume s`"
    assert caught.value.exit_code == expected
    assert sweep.fates()["0001"] == (Fate.STOPPED, "SIGTERM")
    states = [trial.state for trial in trials.seen["study"].trials]
    assert states == [TrialState.COMPLETE, TrialState.WAITING]


def test_a_spent_budget_is_an_end_and_an_early_one_without_reason_is_not(sweep: Sweep) -> None:
    request = _request(num_trials=3, budget=Budget(wall_h=1.0))
    trials = InProcessTrials(_rising, ("0000", 2), lambda it: it.seen["brake"].pull("budget spent"))
    sweep.search(request, trials)
    assert sweep.fates() == {"0000": (Fate.STOPPED, "budget spent")}
    watch = trials.seen["watch"]
    assert (watch._brake, watch._budget) == (trials.seen["brake"], request.budget)
    assert watch._console is sweep.console
    watch._meter.wall_h = 2.0
    watch._meter.save()
    assert json.loads((sweep.folder / USAGE_FILE).read_text())["wall_h"] == 2.0
    with pytest.raises(SweepInterruptedError) as caught:
        sweep.search(request, lambda *_, **__: None)  # type: ignore[arg-type]
    assert (caught.value.message, caught.value.exit_code) == ("0 of 3 trials have ended", 130)


def test_earlier_sweeps_are_told_once(sweep: Sweep) -> None:
    earlier = _request(name="earlier")
    folder = sweep.settings.home / "sweeps" / "earlier"
    save_request(earlier, folder)
    ledger = Ledger(folder / LEDGER_FILE)
    ledger.started("0000", {path: sprites().flat()[path] for path in earlier.space})
    for epoch in range(1, EPOCHS + 1):
        ledger.epoch_ended("0000", epoch, {OBJECTIVE: 0.5})
    ledger.ended("0000", Fate.COMPLETE, EPOCHS, "")
    request = _request(warm_start=("earlier",))
    for _ in range(2):
        sweep.search(request, trials := InProcessTrials(_rising))
    assert sweep.printed.getvalue().count("warm start from earlier: 1 trials taken") == 1
    assert len(trials.seen["study"].trials) == 3


def test_a_population_goes_on_with_what_was_changed(sweep: Sweep) -> None:
    request = _request(num_trials=4, pruning=PruningRule(pruner=Pruner.PBT), paper_first=False)
    with pytest.raises(RuntimeError):
        sweep.search(request, InProcessTrials(_rising, ("0002", 4), _die))
    new = {"loss.lambda_sc": 0.125}
    sweep.ledger.changed("0002", Change(epoch=3, donor="0001", overrides=new))
    for trial, number in (("0001", 5), ("0002", 6)):
        place = f"{request.key}-1/trial_{trial}/checkpoint_00000{number}"
        (Path(sweep.settings.sweep_storage) / place).mkdir(parents=True)
    mark = Path(sweep.settings.sweep_storage) / f"{request.key}-1/trial_0001/checkpoint_000005"
    (mark / "epoch-00003.ckpt").touch()
    trials = InProcessTrials(_rising)
    sweep.search(request, trials)
    assert trials.seen["changed"] == {"0002": new}
    assert trials.suggested[0][CHANGED] == new
    found = [Path(each).name for each in trials.seen["unfinished"]["0002"]]
    assert found == ["checkpoint_000006", "checkpoint_000005"]
    moves = trials.seen["scheduler"]._moves
    assert moves._request is request
    assert moves._ledger is sweep.ledger
    assert moves._study is trials.seen["study"]
