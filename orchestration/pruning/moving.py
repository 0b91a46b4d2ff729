"""Carries out the moves of a population: new settings, and the donor's checkpoint to go on from.

A move is written to the ledger once the epoch it follows is there, and acted upon after. The
donor's checkpoint only saves time: without it a trial trains the same schedule from its start.
"""

from collections.abc import Callable, Mapping, Sequence

import optuna
from ray.tune.experiment import Trial

from drmn.config import Config
from drmn.config_tree import Scalar
from drmn.loss_schedule import extended
from drmn.names import EPOCH
from orchestration.events import CHANGED, CHECKPOINTS, Change, TrialObserver, trial_name
from orchestration.ledger import Ledger, TrialHistory
from orchestration.pruning.population import Move, PopulationBased
from orchestration.request import SweepRequest
from orchestration.searcher.study import note_change
from search_spaces.domain import LogUniform, SearchSpace, Uniform

SCHEDULE = "loss.schedule"

Donated = Callable[[str, int], Sequence[str]]
"""Checkpoints of a trial after an epoch, newest first."""


class Moves:
    """What the rule decided and the ledger has, for the scheduler to act upon.

    Args:
        rule: of the sweep, with the journal played.
        request: gives recipe and space.
        ledger: believed about what has been carried out.
        study: is told the settings a trial goes on with; its parameters stay the first ones.
        observers: are told of every change, the ledger first.
        donated: finds checkpoints.
    """

    def __init__(
        self,
        rule: PopulationBased,
        request: SweepRequest,
        ledger: Ledger,
        study: optuna.Study,
        observers: Sequence[TrialObserver],
        donated: Donated,
    ) -> None:
        self._rule = rule
        self._request = request
        self._ledger = ledger
        self._study = study
        self._observers = observers
        self._donated = donated

    def is_due(self, trial: str, epoch: int) -> bool:
        """Whether the trial is to move after this epoch and has not."""
        if (trial, epoch) not in self._rule.moves:
            return False
        return epoch not in self._ledger.histories()[trial].changes

    def carry_out(self, trial: Trial, others: Sequence[Trial]) -> bool:
        """Give a paused trial what it moves to; False while its donor has yet to be saved."""
        name, epoch = trial_name(trial), int(trial.last_result[EPOCH])
        if not self.is_due(name, epoch):
            return True
        donor = self._rule.moves[name, epoch].donor
        if any(trial_name(each) == donor and not _is_saved(each, epoch) for each in others):
            return False
        change = self._record(name, epoch)
        trial.set_config(
            {
                **trial.config,
                CHANGED: change.overrides,
                CHECKPOINTS: list(self._donated(donor, epoch)),
            }
        )
        # Tune would restore what the trial itself saved last; its schedulers do the same
        trial.run_metadata.checkpoint_manager._latest_checkpoint_result = None
        return True

    def settle(self) -> None:
        """Record what was decided before a driver died, where the epoch itself was recorded."""
        histories = self._ledger.histories()
        for name, epoch in sorted(self._rule.moves, key=lambda move: (move[1], move[0])):
            history = histories.get(name)
            if history and history.last_epoch == epoch and epoch not in history.changes:
                self._record(name, epoch)

    def _record(self, name: str, epoch: int) -> Change:
        histories, move = self._ledger.histories(), self._rule.moves[name, epoch]
        change = Change(
            epoch=epoch,
            donor=move.donor,
            overrides=_moved(histories[name], histories[move.donor], move, epoch, self._request),
        )
        for observer in self._observers:
            observer.changed(name, change)
        note_change(self._study, name, change.overrides)
        return change


def taken_up(history: TrialHistory, own: Sequence[str], donated: Donated) -> list[str]:
    """Checkpoints to take up after a driver's death: the trial's own, then its last donor's.

    Those of other settings are passed over.
    """
    if not history.changes:
        return list(own)
    last = history.changes[max(history.changes)]
    return [*own, *donated(last.donor, last.epoch)]


def perturbed(space: SearchSpace, weights: Mapping[str, float], move: Move) -> dict[str, float]:
    """The loss weights that are searched over a range, times their factors, kept in the range."""
    new = {}
    for path, factor in move.factors.items():
        domain, name = space.get(path), path.rpartition(".")[2]
        if isinstance(domain, Uniform | LogUniform):
            new[name] = min(max(weights[name] * factor, domain.low), domain.high)
    return new


def _moved(
    own: TrialHistory, donor: TrialHistory, move: Move, epoch: int, request: SweepRequest
) -> dict[str, Scalar]:
    """The donor's settings up to ``epoch``, its weights perturbed after; inference stays one's own.

    The schedule names every weight that an ancestor was trained with.
    """
    taken = donor.overrides_at(epoch)
    kept = {path: value for path, value in own.overrides.items() if path.startswith("inference.")}
    loss = Config.from_flat({**request.config.flat(), **taken}).loss
    now = loss.at(epoch)
    weights = {"lambda_sc": now.lambda_sc, "lambda_gc": now.lambda_gc}
    new = perturbed(request.space, weights, move)
    return {**taken, **kept, SCHEDULE: extended(loss.schedule, epoch + 1, new)}


def _is_saved(donor: Trial, epoch: int) -> bool:
    """Whether there is nothing to wait for: the epoch's checkpoint is there, or never will be."""
    saved = donor.latest_checkpoint_result
    return bool(
        donor.is_finished()
        or donor.last_result.get(EPOCH, 0) > epoch
        or (saved is not None and saved.metrics.get(EPOCH, 0) >= epoch)
    )
