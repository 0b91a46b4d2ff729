"""One signal brakes, two stop; a budget's brake gives way to a signal."""

import os
import signal

import pytest

from orchestration.stopping.brake import Brake, StoppedNow, heeding_signals


@pytest.mark.usefixtures("hang_up_heard")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_the_first_signal_pulls_the_brake_and_the_second_stops(
    number: signal.Signals, code: int
) -> None:
    brake, before = Brake(), signal.getsignal(number)
    with heeding_signals(brake):
        os.kill(os.getpid(), number)
        assert (brake.reason, brake.exit_code) == (number.name, code)
        with pytest.raises(StoppedNow) as stopped:
            os.kill(os.getpid(), number)
    assert stopped.value.exit_code == code
    assert signal.getsignal(number) == before


def test_a_hang_up_that_is_ignored_stays_ignored() -> None:
    """As below `nohup`."""
    before, brake = signal.signal(signal.SIGHUP, signal.SIG_IGN), Brake()
    try:
        with heeding_signals(brake):
            os.kill(os.getpid(), signal.SIGHUP)
        assert not brake.is_pulled
    finally:
        signal.signal(signal.SIGHUP, before)


def test_two_different_signals_are_two() -> None:
    with heeding_signals(Brake()), pytest.raises(StoppedNow):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_after_the_budgets_end_is_the_first() -> None:
    brake = Brake()
    brake.pull("the budget of 1 h is spent")
    with heeding_signals(brake):
        os.kill(os.getpid(), signal.SIGINT)
    assert (brake.reason, brake.exit_code) == ("SIGINT", 130)
