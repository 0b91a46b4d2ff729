"""What Tune does not tell of a trial is told to observers all the same."""

from pathlib import Path

import pytest
from ray.exceptions import ActorDiedError, RayTaskError
from ray.tune.experiment import Trial

from drmn.errors import DataError, DivergenceError, DrmnError
from drmn.names import OBJECTIVE
from orchestration.events import OVERRIDES, TRIAL, Fate, TrialEvents
from orchestration.ledger import Ledger
from orchestration.retrying import tolerate_losses
from orchestration.stopping.brake import Brake


def _died_while_it_was_made(error: DrmnError) -> ActorDiedError:
    text = f"ray::DrmnTrainable.__init__()\n  File ...\ndrmn.errors.DataError: {error}"
    return ActorDiedError(RayTaskError("DrmnTrainable.__init__", text, error))


def test_a_trial_whose_process_cannot_be_made_has_failed_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tune tells of its error without having told of its start."""
    monkeypatch.setattr(Trial, "local_path", None)  # where Tune keeps tracebacks needs a cluster
    config = {TRIAL: "0000", OVERRIDES: {"optimiser.lr": 0.1}}
    trial = Trial("DrmnTrainable", config=config, stub=True, max_failures=3)
    tolerate_losses(trial)
    trial.handle_error(_died_while_it_was_made(DataError("no file x.mat", "give --data-root")))
    assert not trial.should_recover()
    ledger = Ledger(tmp_path / "ledger.jsonl")
    TrialEvents([ledger], num_epochs=4, brake=Brake()).on_trial_error(0, [], trial)
    (history,) = ledger.histories().values()
    assert history.overrides == {"optimiser.lr": 0.1}
    assert (history.fate, history.reason) == (Fate.FAILED, "drmn.errors.DataError: no file x.mat")
    with pytest.raises(DrmnError, match=r"no trial ended an epoch; reasons: .*no file x\.mat"):
        ledger.winner(OBJECTIVE)


@pytest.mark.parametrize(
    ("error", "is_logged"), [(DivergenceError("loss is NaN"), False), (KeyError("o"), True)]
)
def test_a_traceback_is_logged_of_what_is_no_mistake_of_the_users(
    error: Exception,
    is_logged: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(Trial, "local_path", None)
    trial = Trial("DrmnTrainable", config={TRIAL: "0000"}, stub=True)
    tolerate_losses(trial)
    trial.handle_error(RayTaskError("step", "Traceback ...", error))
    assert [record.exc_info is not None for record in caplog.records] == [True] * is_logged
