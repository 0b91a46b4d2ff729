"""Stands in for Ray's actor manager: thousands of pretend actors under Tune's own controller."""

import heapq
import itertools
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pretend_trial import Durations, PretendTrial
from ray.air.execution._internal.tracked_actor import TrackedActor
from ray.exceptions import RayTaskError
from simulated_clock import Record, SimulatedClock


@dataclass(frozen=True, kw_only=True)
class PretendCluster:
    """Args of the manager that do not come from Tune.

    ``wait_s_per_future`` is what Ray's manager takes to look for one ready event among its
    pending ones, for each of them; ``call_s`` what sending a call and taking its answer cost;
    ``fsync_s`` what a sync of the driver's own files takes, None: they are synced.
    """

    num_slots: int
    durations: Durations
    clock: SimulatedClock
    record: Record
    wait_s_per_future: float = 0.0
    call_s: float = 0.0
    fsync_s: float | None = None
    trial: type[PretendTrial] = PretendTrial


@dataclass(kw_only=True, eq=False)
class _Event:
    due_s: float
    method: str
    actor: TrackedActor
    callback: Callable[[Any], None] | None
    answer: Callable[[], Any] | None = None
    on_error: Callable[[Exception], None] | None = None
    is_over: bool = False
    """Handled, or called off."""


class SimulatedActorManager:
    """The part of ``RayActorManager`` that ``TuneController`` uses, one slot for each actor."""

    def __init__(self, resource_manager: object, *, cluster: PretendCluster) -> None:
        self._cluster, self._clock = cluster, cluster.clock
        self._pending: dict[TrackedActor, tuple[Mapping[str, Any], Any]] = {}
        self._live_actors_to_ray_actors_resources: dict[TrackedActor, tuple[PretendTrial, Any]] = {}
        self._tasks: dict[TrackedActor, list[_Event]] = {}
        self._events: list[tuple[float, int, _Event]] = []
        self._numbers = itertools.count()
        self._num_waited_for = 0
        self._idle_since_s = self._clock.now_s()

    def add_actor(
        self,
        cls: type,
        kwargs: Mapping[str, Any],
        resource_request: object,
        *,
        on_start: Callable[[TrackedActor], None] | None = None,
        on_stop: Callable[[TrackedActor], None] | None = None,
        on_error: Callable[[TrackedActor, Exception], None] | None = None,
    ) -> TrackedActor:
        """One that waits for a slot."""
        actor = TrackedActor(
            uuid.uuid4().int, on_start=on_start, on_stop=on_stop, on_error=on_error
        )
        self._pending[actor] = kwargs, resource_request
        return actor

    def schedule_actor_task(
        self,
        tracked_actor: TrackedActor,
        method_name: str,
        args: tuple[Any, ...] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        on_result: Callable[[TrackedActor, Any], None] | None = None,
        on_error: Callable[[TrackedActor, Exception], None] | None = None,
        _return_future: bool = False,
    ) -> object | None:
        """A call; only "stop" may come before the actor has a slot, and then does nothing."""
        if tracked_actor in self._pending:
            assert method_name == "stop", method_name
            return None
        trial, _ = self._live_actors_to_ray_actors_resources[tracked_actor]
        task = self._schedule(
            trial.duration_s(method_name),
            method_name,
            tracked_actor,
            (lambda result: on_result(tracked_actor, result)) if on_result else None,
            lambda: trial.call(method_name, *(args or ()), **(kwargs or {})),
        )
        task.on_error = (lambda error: on_error(tracked_actor, error)) if on_error else None
        if method_name == "train":
            self._cluster.record.epochs.append((self._clock.now_s(), task.due_s))
        return task if _return_future else None

    def remove_actor(
        self, tracked_actor: TrackedActor, kill: bool = False, stop_future: _Event | None = None
    ) -> bool:
        """Whether it lives, so that its end will be told."""
        if tracked_actor in self._pending:
            del self._pending[tracked_actor]
            return False
        stop = stop_future or self._schedule(0.0, "stop", tracked_actor, None)
        stop.callback = lambda _: self._stopped(tracked_actor)
        return True

    def clear_actor_task_futures(self, tracked_actor: TrackedActor) -> None:
        """Forget its calls."""
        for task in list(self._tasks.get(tracked_actor, ())):
            self._end(task)

    def is_actor_started(self, tracked_actor: TrackedActor) -> bool:
        """Whether it has a slot."""
        return tracked_actor in self._live_actors_to_ray_actors_resources

    def is_actor_failed(self, tracked_actor: TrackedActor) -> bool:
        """Never: no worker is lost here."""
        return False

    @property
    def num_live_actors(self) -> int:
        """Those with a slot."""
        return len(self._live_actors_to_ray_actors_resources)

    @property
    def num_pending_actors(self) -> int:
        """Those without."""
        return len(self._pending)

    @property
    def num_total_actors(self) -> int:
        """Both."""
        return self.num_live_actors + self.num_pending_actors

    @property
    def num_actor_tasks(self) -> int:
        """Calls that were not answered yet."""
        return self._num_waited_for

    def get_live_actors_resources(self) -> dict[str, float]:
        """What those with a slot hold."""
        held: Counter[str] = Counter()
        for _, request in self._live_actors_to_ray_actors_resources.values():
            for bundle in request.bundles:
                held.update(bundle)
        return dict(held)

    def cleanup(self) -> None:
        """Forget everything."""
        for records in (self._pending, self._live_actors_to_ray_actors_resources, self._tasks):
            records.clear()
        self._events.clear()
        self._num_waited_for = 0

    def next(self, timeout: float | None = None) -> bool:
        """Handle one event, the earliest; whether there was one."""
        self._start_actors()
        while self._events and self._events[0][2].is_over:
            heapq.heappop(self._events)
        if not self._events:
            return False
        self._cluster.record.between_s.append(self._clock.now_s() - self._idle_since_s)
        self._clock.add(self._cluster.wait_s_per_future * self._num_waited_for)
        self._clock.skip_to(self._events[0][0])
        self._cluster.record.idle.append((self._clock.now_s(), self._clock.skipped_s))
        self._handle(heapq.heappop(self._events)[2])
        self._start_actors()
        self._idle_since_s = self._clock.now_s()
        return True

    def _handle(self, event: _Event) -> None:
        self._end(event)
        record, taken_up_s = self._cluster.record, self._clock.now_s()
        record.late_s.setdefault(event.method, []).append(taken_up_s - event.due_s)
        if event.answer is not None:
            self._clock.add(self._cluster.call_s)
            callback, result = self._answered(event)
        else:
            callback, result = event.callback, None
        if callback is not None:
            callback(result)
        took_s = self._clock.now_s() - taken_up_s
        record.handling_s.setdefault(event.method, []).append(took_s)
        if event.method in ("start", "reset"):
            record.trial_starts.append(taken_up_s)

    def _answered(self, event: _Event) -> tuple[Callable[[Any], None] | None, Any]:
        """Whom to tell of a call's end, and what."""
        assert event.answer is not None
        with self._clock.standing():
            try:
                return event.callback, event.answer()
            except RayTaskError as error:
                return event.on_error, error

    def _start_actors(self) -> None:
        live = self._live_actors_to_ray_actors_resources
        while self._pending and len(live) < self._cluster.num_slots:
            actor = next(iter(self._pending))
            kwargs, request = self._pending.pop(actor)
            trial = self._cluster.trial(self._cluster.durations, **kwargs)
            live[actor] = (trial, request)
            self._tasks[actor] = []
            self._schedule(
                trial.duration_s("start"), "start", actor, lambda _, a=actor: a._on_start(a)
            )
            self._cluster.record.num_actors_made += 1
            self._cluster.record.most_live = max(self._cluster.record.most_live, len(live))

    def _stopped(self, actor: TrackedActor) -> None:
        self.clear_actor_task_futures(actor)
        del self._live_actors_to_ray_actors_resources[actor], self._tasks[actor]
        if actor._on_stop:
            actor._on_stop(actor)

    def _schedule(
        self,
        duration_s: float,
        method: str,
        actor: TrackedActor,
        callback: Callable[[Any], None] | None,
        answer: Callable[[], Any] | None = None,
    ) -> _Event:
        due_s = self._clock.now_s() + duration_s
        event = _Event(due_s=due_s, method=method, actor=actor, callback=callback, answer=answer)
        heapq.heappush(self._events, (due_s, next(self._numbers), event))
        self._tasks[actor].append(event)
        self._num_waited_for += 1
        return event

    def _end(self, event: _Event) -> None:
        if not event.is_over:
            event.is_over = True
            self._num_waited_for -= 1
            self._tasks[event.actor].remove(event)
