"""All final runs of a sweep as Ray tasks side by side; what has a result is never run again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from drmn.config import Config
from drmn.errors import DeviceMemoryError, DrmnError
from orchestration.final import SCORES_FILE, Contender, FinalResult, FinalScores, train_and_test
from orchestration.request import Resources
from orchestration.trainable import TrialContext

_TASK = ray.remote(train_and_test)

Told = Callable[[Contender, int, FinalResult], None]
"""Hears of a run's end: contender, seed, result."""


@dataclass(frozen=True, kw_only=True)
class FinalRuns:
    """How final runs are made.

    Args:
        folder: each result is saved below it before anything else happens with it.
        context: what a task needs to run a configuration.
        resources: of one task; one that runs out of a GPU's memory gets a whole GPU, once.
        max_concurrent: tasks at once; None: all that fit.
    """

    folder: Path
    context: Callable[[Config], TrialContext]
    resources: Resources
    max_concurrent: int | None = None

    def run(self, contenders: Sequence[Contender], told: Told) -> list[FinalScores]:
        """Every seed of every contender; ``told`` of each that is run now.

        Raises:
            DrmnError: some failed, after all others have ended and are kept.
        """
        jobs = [(each, seed) for each in contenders for seed in each.seeds]
        missing = [job for job in jobs if not self._is_done(*job)]
        failures: list[str] = []
        for (contender, seed), result in self._results(missing):
            if isinstance(result, FinalResult):
                result.save(contender.folder(self.folder, seed))
                told(contender, seed, result)
            else:
                failures.append(f"{contender.name}, seed {seed}: {result}")
        if failures:
            raise DrmnError(
                f"{len(failures)} of {len(jobs)} final runs failed: {'; '.join(failures)}",
                "continue the sweep with `drmn runs resume`: the others are not run again",
            )
        return [self._tested(each) for each in contenders]

    def _is_done(self, contender: Contender, seed: int) -> bool:
        return (contender.folder(self.folder, seed) / SCORES_FILE).exists()

    def _tested(self, contender: Contender) -> FinalScores:
        results = {
            seed: FinalResult.load(contender.folder(self.folder, seed)) for seed in contender.seeds
        }
        return FinalScores(contender=contender, results=results)

    def _results(self, jobs: Sequence[tuple[Contender, int]]) -> Any:
        """(job, result or the reason of its failure) as they end."""
        waiting = [(job, self.resources.gpus) for job in reversed(jobs)]
        running: dict[Any, tuple[tuple[Contender, int], float]] = {}
        limit = self.max_concurrent or len(jobs)
        while waiting or running:
            while waiting and len(running) < limit:
                job, gpus = waiting.pop()
                running[self._start(*job, gpus)] = job, gpus
            (finished,), _ = ray.wait(list(running), num_returns=1)
            job, gpus = running.pop(finished)
            try:
                yield job, ray.get(finished)
            except ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, DeviceMemoryError) and 0 < gpus < 1:
                    waiting.append((job, 1.0))
                else:
                    yield job, _reason(error)

    def _start(self, contender: Contender, seed: int, gpus: float) -> Any:
        held = {"num_cpus": self.resources.cpus, "num_gpus": gpus}
        task = _TASK.options(**held, max_retries=1)
        return task.remote(self.context(contender.run_config(seed)))


def _reason(error: Any) -> str:
    """Of a failure that a user can cause; any other is raised.

    Raises:
        RayTaskError: it is a bug.
    """
    if isinstance(error.cause, DrmnError):
        return error.cause.message
    raise error
