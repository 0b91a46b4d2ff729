"""From spooled events to requests: in batches, in order, each thing once.

Before the first write to a run its key is looked up, and with it each metric's last step: a point
at or below it is a repetition and is left out. Steps of one metric of one run must therefore rise.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from orchestration.tracking.damaged import usable
from orchestration.tracking.names import OutageError, RefusedError, WaitingError
from orchestration.tracking.server import Batch, Found, Point

Event = Mapping[str, Any]
Refused = Callable[[Event, str], None]
"""Told of an event that the server will never take, and why."""

MAX_PARAMS, MAX_TAGS, MAX_ENTRIES = 100, 100, 1000
"""MLflow's limits for one batch."""

_BATCHED = ("metrics", "params", "tags")


class RunStore(Protocol):
    """What is needed of a server; see Server."""

    def find(self, key: str) -> Found | None: ...

    def create(
        self, key: str, name: str, tags: Mapping[str, str], parent_id: str, time_ms: int
    ) -> str: ...

    def log(self, run_id: str, batch: Batch) -> None: ...

    def log_dataset(self, run_id: str, fields: Mapping[str, str], context: str) -> None: ...

    def set_running(self, run_id: str) -> None: ...

    def close(self, run_id: str, status: str, time_ms: int) -> None: ...

    def upload(self, run_id: str, path: Path, folder: str | None) -> None: ...


@dataclass(kw_only=True)
class _Run:
    run_id: str
    status: str = "RUNNING"
    last_steps: dict[str, int] = field(default_factory=dict)
    last_values: dict[str, float] = field(default_factory=dict)

    def take(self, event: Event) -> Iterator[Point]:
        """The event's points that the run does not have; it has them after."""
        values = event["values"]
        step = event["step"]
        if event.get("shown") and any(self.last_values.get(k) != v for k, v in values.items()):
            step = max(step, 1 + max(self.last_steps.get(key, -1) for key in values))
        for key, value in values.items():
            if step > self.last_steps.get(key, -1):
                self.last_steps[key], self.last_values[key] = step, value
                yield key, value, event["time_ms"], step


class Delivery:
    """Applies events to a server; raises OutageError with part of them applied, which is safe."""

    def __init__(self, store: RunStore, refused: Refused) -> None:
        self._store = store
        self._refused = refused
        self._runs: dict[str, _Run] = {}
        self._unanswered: set[str] = set()
        """Keys of runs whose creation went unanswered: it may be done any time."""

    def __call__(self, events: Sequence[Event]) -> None:
        """Each run's events in order; runs in the order in which they first appear."""
        groups: dict[str, list[Event]] = {}
        for event in usable(events, self._refused):
            groups.setdefault(event["run"], []).append(event)
        try:
            for group in groups.values():
                for request in _requests(group):
                    self._send(request, ends=_ends(group))
        except OutageError:
            self._runs.clear()  # the answer may have been lost, not the request
            raise

    def run_id(self, key: str) -> str:
        """Of a run that was found or made, while it is open; else ""."""
        known = self._runs.get(key)
        return known.run_id if known else ""

    def _send(self, request: Sequence[Event], *, ends: bool) -> None:
        """One request; where it is refused, each of its events alone."""
        try:
            self._apply(request, ends=ends)
        except RefusedError as error:
            if len(request) == 1:
                self._refused(request[0], error.message)
                return
            for event in request:
                self._send([event], ends=ends)

    def _apply(self, request: Sequence[Event], *, ends: bool) -> None:
        first = request[0]
        if first["kind"] == "open":
            self._open(first, ends=ends)
        elif first["kind"] in _BATCHED:
            self._log(request)
        elif first["kind"] == "dataset":
            run_id = self._known(first["run"]).run_id
            self._store.log_dataset(run_id, first["fields"], first["context"])
        elif first["kind"] == "close":
            self._close(first)
        else:
            raise RefusedError(f"an event of the unknown kind {first['kind']!r}")

    def _open(self, event: Event, *, ends: bool) -> None:
        """Found or created; RUNNING, unless the same events end it again."""
        key = event["run"]
        found = self._find(key)
        if found is None:
            self._create(event)
        elif found.status != "RUNNING" and not ends:
            self._store.set_running(found.run_id)
            found.status = "RUNNING"

    def _create(self, event: Event) -> None:
        key = event["run"]
        parent = self._known(event["parent"]).run_id if event["parent"] else ""
        try:
            run_id = self._store.create(key, event["name"], event["tags"], parent, event["time_ms"])
        except OutageError:
            self._unanswered.add(key)
            raise
        self._runs[key] = _Run(run_id=run_id)

    def _log(self, request: Sequence[Event]) -> None:
        run = self._known(request[0]["run"])
        after = replace(run, last_steps={**run.last_steps}, last_values={**run.last_values})
        metrics = [
            point for event in request if event["kind"] == "metrics" for point in after.take(event)
        ]
        batch = Batch(
            metrics=metrics, params=_merged(request, "params"), tags=_merged(request, "tags")
        )
        if batch.metrics or batch.params or batch.tags:
            self._store.log(run.run_id, batch)
        self._runs[request[0]["run"]] = after

    def _close(self, event: Event) -> None:
        """A run that has ended this way before keeps its time."""
        run = self._known(event["run"])
        if event["run"] in self._unanswered:
            self._store.find(event["run"])  # deletes its twin
        if run.status != event["status"]:
            self._store.close(run.run_id, event["status"], event["time_ms"])
            run.status = event["status"]

    def _known(self, key: str) -> _Run:
        run = self._find(key)
        if run is None:
            raise RefusedError(f"MLflow has no run with the key {key!r}")
        return run

    def _find(self, key: str) -> _Run | None:
        if key not in self._runs:
            found = self._store.find(key)
            if found is None:
                return None
            self._runs[key] = _Run(**asdict(found))
        return self._runs[key]


class Upload:
    """Delivers files; those of a run that is not there yet wait for it.

    Args:
        folder: holds the spooled copies, which go away once they are uploaded.
        is_settled: whether every run that will ever be there is there.
    """

    def __init__(
        self, store: RunStore, folder: Path, refused: Refused, is_settled: Callable[[], bool]
    ) -> None:
        self._store = store
        self._folder = folder
        self._refused = refused
        self._is_settled = is_settled

    def __call__(self, events: Sequence[Event]) -> None:
        """One by one: what is uploaded twice, after a crash, is the same file."""
        for event in usable(events, self._refused, kind="file"):
            try:
                self._upload(event)
            except RefusedError as error:
                self._refused(event, error.message)

    def _upload(self, event: Event) -> None:
        copy = self._folder / str(event.get("copy", ""))
        if not copy.is_file():
            return  # uploaded by an earlier attempt, which died before it could say so
        settled = self._is_settled()
        found = self._store.find(event["run"])
        if found is None and not settled:
            raise WaitingError(f"the run {event['run']!r} is not in MLflow yet")
        if found is None:
            raise RefusedError(f"MLflow has no run with the key {event['run']!r}")
        self._store.upload(found.run_id, copy, event["folder"])
        copy.unlink()
        copy.parent.rmdir()


def _ends(group: Sequence[Event]) -> bool:
    """Whether a run is over after its events: a resumed trial's is ended and opened again."""
    marks = [event["kind"] for event in group if event["kind"] in ("open", "close")]
    return marks[-1:] == ["close"]


def _requests(group: Sequence[Event]) -> Iterator[list[Event]]:
    """Neighbouring metrics, parameters and tags together, as many as one batch takes."""
    batch: list[Event] = []
    counts: Counter[str] = Counter()
    for event in group:
        is_batched = event["kind"] in _BATCHED
        added = Counter({event["kind"]: len(event["values"])}) if is_batched else Counter()
        if batch and not (is_batched and _fits(counts + added)):
            yield batch
            batch, counts = [], Counter()
        if is_batched:
            batch.append(event)
            counts += added
        else:
            yield [event]
    if batch:
        yield batch


def _fits(counts: Counter[str]) -> bool:
    limits = counts["params"] <= MAX_PARAMS and counts["tags"] <= MAX_TAGS
    return limits and counts.total() <= MAX_ENTRIES


def _merged(events: Sequence[Event], kind: str) -> dict[str, str]:
    merged: dict[str, str] = {}
    for event in events:
        if event["kind"] == kind:
            merged.update(event["values"])
    return merged
