"""A sweep's life as a state machine: whatever happens in whatever order, its books agree.

Trials start, report, fail and lose their processes, a rule prunes them; MLflow takes events or is
away; signals come; the driver dies between two steps or at any write within one, also while it
resumes or while its books are mended; it is resumed. After every step the books are compared.
"""

import os
import signal
from pathlib import Path

import four_books
from agreement import check_alive, check_dead, check_ledger, check_mended
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from mortal_sweep import COUNTED, MortalSweep, drawn, request
from steered_sweep import HAPPENINGS, Order, SteeredTrial

from orchestration.pruning_rule import Pruner
from orchestration.stopping.brake import StoppedNow

_PRUNERS = (Pruner.ASHA, Pruner.MEDIAN, Pruner.HYPERBAND, Pruner.NONE)
_GOES_WELL = (HAPPENINGS[0],)
_SOON = st.integers(0, 12)
"""After how many places where it can die a driver does."""


class SweepLifeCycle(RuleBasedStateMachine):
    """Needs a connection to Ray, and ``template``, a home to begin from."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self._sweep = MortalSweep(self.template)
        self._known: dict[tuple[str, int], float] = {}
        self._ended: dict[str, str] = {}

    @initialize(pruner=st.sampled_from(_PRUNERS))
    def begin(self, pruner: Pruner) -> None:
        self._request = request(pruner)
        self._drawn = drawn(self._request)
        self._sweep.start(self._request, None)

    @precondition(lambda self: self._sweep.waits)
    @rule(place=st.integers(0, 3), happening=st.sampled_from(_GOES_WELL * 6 + HAPPENINGS))
    def something_happens_to_a_trial(self, place: int, happening: str) -> None:
        COUNTED[f"a trial {happening}"] += 1
        self._step(Order(place=place, happening=happening))

    @precondition(lambda self: self._sweep.waits)
    @rule(place=st.integers(0, 3))
    def a_trial_goes_on(self, place: int) -> None:
        for _ in range(5):
            if self._sweep.waits:
                COUNTED[f"a trial {HAPPENINGS[0]}"] += 1
                self._step(Order(place=place))

    @precondition(lambda self: self._sweep.waits)
    @rule(place=st.integers(0, 3), soon=_SOON)
    def driver_dies_in_a_step(self, place: int, soon: int) -> None:
        self._step(Order(place=place), soon)

    @precondition(lambda self: self._sweep.waits)
    @rule()
    def driver_dies_between_steps(self) -> None:
        self._sweep.die()

    @precondition(lambda self: self._sweep.waits)
    @rule(lane=st.integers(0, 1), outage=st.none() | _SOON, soon=st.none() | _SOON)
    def mlflow_is_sent_what_waits(self, lane: int, outage: int | None, soon: int | None) -> None:
        COUNTED["MLflow is sent events"] += 1
        self._sweep.send(lane, outage, soon)

    @precondition(lambda self: self._sweep.waits)
    @rule(number=st.sampled_from((signal.SIGTERM, signal.SIGINT, signal.SIGHUP)))
    def a_signal_comes(self, number: signal.Signals) -> None:
        driver = self._sweep.driver
        if driver.is_braked:
            COUNTED["a second signal"] += 1
            self._sweep.move(lambda: driver.raise_in_it(StoppedNow(number)))
        else:
            COUNTED["a signal"] += 1
            os.kill(os.getpid(), number)
            driver.is_braked = True

    @precondition(lambda self: not self._sweep.waits and not self._sweep.is_over)
    @rule(soon=st.none() | st.integers(0, 40))
    def sweep_is_resumed(self, soon: int | None) -> None:
        COUNTED["resumed"] += 1
        self._sweep.start(self._request, soon)

    @precondition(lambda self: not self._sweep.waits and not self._sweep.is_mended)
    @rule(soon=st.none() | _SOON)
    def books_are_reconciled(self, soon: int | None) -> None:
        COUNTED["reconciled"] += 1
        self._sweep.mend(soon)

    @precondition(lambda self: self._sweep.is_over)
    @rule()
    def nothing_happens_any_more(self) -> None:
        """A machine must have something to do."""

    @invariant()
    def books_agree(self) -> None:
        sweep = self._sweep
        if sweep.driver is None:
            return
        COUNTED["comparisons"] += 1
        self._check_nothing_is_lost()
        if sweep.waits:
            check_alive(
                sweep.home,
                sweep.folder,
                sweep.driver.statuses(),
                was_killed=sweep.was_killed,
                is_braked=sweep.driver.is_braked,
            )
        elif sweep.is_mended:
            check_mended(sweep.home, sweep.folder)
        else:
            check_dead(sweep.home, sweep.folder)

    def teardown(self) -> None:
        try:
            if self._sweep.driver is not None:
                self._end_well()
        finally:
            self._sweep.close()

    def _step(self, order: Order, soon: int | None = None) -> None:
        driver = self._sweep.driver
        self._sweep.move(lambda: driver.step(order), soon)

    def _check_nothing_is_lost(self) -> None:
        """What the ledger once had it has for ever, and an end is an end."""
        ledger = four_books.ledger(self._sweep.folder)
        check_ledger(ledger, self._drawn, SteeredTrial.num_epochs)
        now = {
            (name, e): value for name, each in ledger.items() for e, value in each.values.items()
        }
        assert self._known.items() <= now.items(), "an epoch that was in the ledger is lost"
        self._known = now
        fates = {name: each.fate for name, each in ledger.items()}
        ends = {n: fate for n, fate in fates.items() if fate not in (four_books.GOES_ON, "stopped")}
        assert self._ended.items() <= ends.items(), "a trial has two ends"
        self._ended = ends

    def _end_well(self) -> None:
        """However it went, a sweep that is resumed until it ends has all that was asked for."""
        while not self._sweep.is_over:
            if not self._sweep.waits:
                self._sweep.start(self._request, None)
            while self._sweep.waits:
                self._step(Order())
        self._sweep.mend()
        self.books_agree()
        ledger = four_books.ledger(self._sweep.folder)
        assert set(ledger) == set(self._drawn), (set(ledger), four_books.study(self._sweep.folder))
        assert all(each.fate != "stopped" for each in ledger.values())
        COUNTED["sweeps"] += 1
        COUNTED["trials"] += len(ledger)
        COUNTED["epochs"] += sum(len(each.epochs) for each in ledger.values())
