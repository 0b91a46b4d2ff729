"""An MLflow in memory that fails when it is told to: a crash before or after any request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.tracking.names import RefusedError
from orchestration.tracking.server import Batch, Found


class Killed(BaseException):
    """The process dies here."""


@dataclass
class StoredRun:
    name: str
    tags: dict[str, str]
    parent: str
    status: str = "RUNNING"
    params: dict[str, str] = field(default_factory=dict)
    points: list[tuple[str, int, float]] = field(default_factory=list)
    datasets: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


class MemoryStore:
    """Every request counts as one; ``interrupt(number, is_done)`` is called before and after."""

    def __init__(self, interrupt: Callable[[int, bool], None] = lambda _number, _is_done: None):
        self.runs: dict[str, StoredRun] = {}
        self.num_requests = 0
        self.looked_up: list[str] = []
        self.batches: list[Batch] = []
        self.interrupt = interrupt

    def find(self, key: str) -> Found | None:
        self.looked_up.append(key)
        if key not in self.runs:
            return None
        run = self.runs[key]
        steps: dict[str, int] = {}
        values: dict[str, float] = {}
        for name, step, value in run.points:
            steps[name], values[name] = step, value
        return Found(run_id=key, status=run.status, last_steps=steps, last_values=values)

    def create(
        self, key: str, name: str, tags: Mapping[str, str], parent_id: str, time_ms: int
    ) -> str:
        def apply() -> None:
            assert key not in self.runs, "created twice"
            self.runs[key] = StoredRun(name, dict(tags), parent_id)

        self._request(apply)
        return key

    def log(self, run_id: str, batch: Batch) -> None:
        def apply() -> None:
            run = self.runs[run_id]
            for key, value in batch.params.items():
                if run.params.get(key, value) != value:
                    raise RefusedError(f"changing {key!r} is not allowed")
            run.params.update(batch.params)
            run.tags.update(batch.tags)
            run.points += [(key, step, value) for key, value, _, step in batch.metrics]
            self.batches.append(batch)

        self._request(apply)

    def log_dataset(self, run_id: str, fields: Mapping[str, str], context: str) -> None:
        self._request(lambda: self.runs[run_id].datasets.append(fields["name"]))

    def set_running(self, run_id: str) -> None:
        self._request(lambda: setattr(self.runs[run_id], "status", "RUNNING"))

    def close(self, run_id: str, status: str, time_ms: int) -> None:
        self._request(lambda: setattr(self.runs[run_id], "status", status))

    def upload(self, run_id: str, path: Path, folder: str | None) -> None:
        name = f"{folder}/{path.name}" if folder else path.name
        self._request(lambda: self.runs[run_id].files.update({name: path.read_bytes()}))

    def _request(self, apply: Callable[[], object]) -> None:
        self.num_requests += 1
        self.interrupt(self.num_requests, False)
        apply()
        self.interrupt(self.num_requests, True)
