"""How many epochs a sweep will train: its pruning rule played on made-up learning curves.

No training and no clock. A trial's value at an epoch is its own quality plus noise of that epoch;
both are standard normal, so the ranks of two epochs correlate by one half. Curves that are steadier
than this are pruned in much the same numbers: a rule keeps its share of what it compares.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from orchestration.pruning.rule import Rule

_MAX_REPORTS = 30_000
"""Over all repetitions: half a second of the slowest rule."""
_MAX_REPEATS = 100


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """Means over repetitions.

    Args:
        passed: position e - 1 holds how many trials go on after epoch e; the last position, how
            many reach their last epoch.
        epochs: trained in all.
        spread: standard deviation of ``epochs``: what one sweep may differ by.
        span: epochs that pass from the first trial's start to the last one's end.
    """

    passed: tuple[float, ...]
    epochs: float
    spread: float
    span: float

    def rungs(self, num_trials: int) -> list[tuple[int, float]]:
        """Epochs after which some trial is stopped, each with how many go on."""
        before = (float(num_trials), *self.passed)
        pairs = enumerate(zip(before, self.passed, strict=False), start=1)
        return [(epoch, after) for epoch, (ahead, after) in pairs if after < ahead - 1e-9]


def expect(
    rule: Callable[[], Rule], *, num_trials: int, concurrency: int, seed: int = 0
) -> Expectation:
    """Play ``rule`` on ``num_trials`` trials, of which ``concurrency`` run at a time."""
    max_epochs = rule().max_epochs
    repeats = min(_MAX_REPEATS, max(1, _MAX_REPORTS // (num_trials * max_epochs)))
    random = np.random.default_rng(seed)
    games = [_play(rule(), num_trials, concurrency, random) for _ in range(repeats)]
    lasts = np.array([lasts for lasts, _ in games])
    passed = [float((lasts > epoch).sum(axis=1).mean()) for epoch in range(1, max_epochs)]
    return Expectation(
        passed=(*passed, float((lasts == max_epochs).sum(axis=1).mean())),
        epochs=float(lasts.sum(axis=1).mean()),
        spread=float(lasts.sum(axis=1).std()),
        span=float(np.mean([span for _, span in games])),
    )


def _play(
    rule: Rule, num_trials: int, concurrency: int, random: np.random.Generator
) -> tuple[list[int], float]:
    """Each trial's last epoch, and the time at which the last trial ends, in epochs.

    Every worker takes the next trial as it ends one; epochs take equally long, but for a thousandth
    that decides who reports first.
    """
    values = random.normal(size=(num_trials, 1)) + random.normal(size=(num_trials, rule.max_epochs))
    lengths = 1 + 0.001 * random.random(num_trials)
    running = [(lengths[trial], trial, 1) for trial in range(min(concurrency, num_trials))]
    heapq.heapify(running)
    lasts, waiting, time = [0] * num_trials, len(running), 0.0
    while running:
        time, trial, epoch = heapq.heappop(running)
        lasts[trial] = epoch
        if rule.goes_on(f"{trial:04d}", epoch, float(values[trial, epoch - 1])):
            heapq.heappush(running, (time + lengths[trial], trial, epoch + 1))
        elif waiting < num_trials:
            heapq.heappush(running, (time + lengths[waiting], waiting, 1))
            waiting += 1
    return lasts, time
