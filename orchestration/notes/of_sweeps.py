"""What a sweep's run, its trials and its final runs say of themselves."""

from collections.abc import Mapping, Sequence

from drmn.config import Config
from drmn.config_tree import Scalar
from orchestration.final import PAPER, WINNER, FinalScores
from orchestration.ledger import TrialHistory
from orchestration.notes.writing import LEAKED, MAX_LENGTH, SCORES, code, note, number, table
from orchestration.objective import gain, shown
from orchestration.request import SweepRequest
from orchestration.stopping.budget import OPEN_ENDED
from orchestration.study.statistics import plus_minus

_SETTINGS = {WINNER: "the winner's settings", PAPER: "the preset's settings"}

Histories = Mapping[str, TrialHistory]


def sweep_note(
    request: SweepRequest, histories: Histories, tested: Sequence[FinalScores] = ()
) -> str:
    """What is searched and how far it is; test scores once there are; all trials, best first."""
    head = note(
        _warning(request.config),
        f"Sweep **{request.name}**: {_limit(request)} of {code(request.variant)} on "
        f"{request.config.data.dataset}, up to {request.config.training.epochs} epochs each, "
        f"chosen by {code(request.objective)} ({request.config.validation.protocol}).",
        _counts(histories),
        final_table(tested) if tested else "",
    )
    return note(head, _trials(request.objective, histories, MAX_LENGTH - len(head) - 2))


def trial_note(sweep: str, objective: str, trial: str, history: TrialHistory) -> str:
    """Its settings, and what came of them."""
    settings = [
        f"{code(path)} {number(value)}" for path, value in sorted(history.overrides.items())
    ]
    return note(
        f"Trial {trial} of the sweep **{sweep}**: {', '.join(settings) or 'the recipe itself'}.",
        _came_of_it(objective, history),
        history.reason,
    )[:MAX_LENGTH]


def final_note(sweep: str, tested: FinalScores) -> str:
    """Whose settings they are, and their scores."""
    contender = tested.contender
    epochs = contender.config.training.epochs
    return note(
        _warning(contender.config),
        f"{_SETTINGS[contender.name].capitalize()} in the sweep **{sweep}**: "
        f"{epochs} epochs on trainval, then the test images once, for each seed.",
        final_table([tested]),
    )


def final_table(tested: Sequence[FinalScores]) -> str:
    """Means over seeds, per cent, with half the 95 % interval."""
    header = ["test, %", "seeds", *SCORES.values()]
    rows = [
        [_SETTINGS[each.contender.name], str(len(each.results))]
        + [plus_minus(each.interval(metric)) for metric in SCORES]
        for each in tested
    ]
    return table(header, rows)


def best_epoch(objective: str, history: TrialHistory) -> int:
    """The earliest of the best; 0 where no epoch has ended."""
    epochs = [epoch for epoch, metrics in sorted(history.epochs.items()) if objective in metrics]
    return max(epochs, key=lambda epoch: gain(objective, history.epochs[epoch]), default=0)


def _warning(config: Config) -> str:
    return "" if config.validation.protocol == "validation" else f"**{LEAKED}**"


def _limit(request: SweepRequest) -> str:
    is_open = request.num_trials == OPEN_ENDED
    return "as many trials as its budget lets" if is_open else f"{request.num_trials} trials"


def _counts(histories: Histories) -> str:
    states = [_state(history) for history in histories.values()]
    counted = {state: states.count(state) for state in dict.fromkeys(states)}
    return ", ".join(f"{count} {state}" for state, count in counted.items())


def _state(history: TrialHistory) -> str:
    return "under way" if history.fate is None else history.fate.value


def _came_of_it(objective: str, history: TrialHistory) -> str:
    said = f"{_state(history).capitalize()} after epoch {history.last_epoch}"
    best = best_epoch(objective, history)
    if not best:
        return f"{said}."
    value = shown(objective, history.epochs[best][objective])
    return f"{said}; best {code(objective)} {value}, after epoch {best}."


def _trials(objective: str, histories: Histories, room: int) -> str:
    if not histories:
        return ""
    paths = sorted({path for history in histories.values() for path in history.overrides})
    header = ["trial", "state", "epochs", objective, "at epoch", *(code(path) for path in paths)]
    ordered = sorted(histories.items(), key=lambda each: (-_best_gain(objective, each[1]), each[0]))
    rows = [_row(name, objective, history, paths) for name, history in ordered]
    return table(header, rows, room)


def _best_gain(objective: str, history: TrialHistory) -> float:
    best = best_epoch(objective, history)
    return gain(objective, history.epochs[best]) if best else float("-inf")


def _row(name: str, objective: str, history: TrialHistory, paths: Sequence[str]) -> list[str]:
    best = best_epoch(objective, history)
    value = shown(objective, history.epochs[best][objective]) if best else "–"
    settings: Mapping[str, Scalar] = history.overrides
    values = [number(settings[path]) if path in settings else "–" for path in paths]
    return [name, _state(history), str(history.last_epoch), value, str(best or "–"), *values]
