"""A sweep's driver that does one step whenever it is told to, and can die in the midst of it.

The search phase is the product's, with Tune's own controller; it runs in a greenlet that gives way
wherever the controller would wait for an event of a trial. MLflow gets events when it is told to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import greenlet
from pretend_trial import Durations, PretendTrial
from ray.exceptions import RayActorError, RayTaskError
from ray.tune.execution import tune_controller
from rich.console import Console
from scripted_trainable import ScriptedTrainable
from simulated_actors import PretendCluster, SimulatedActorManager
from simulated_clock import Record, SimulatedClock

from drmn.errors import DivergenceError
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.request import SweepRequest
from orchestration.searching import SearchParts, SweepInterruptedError, search
from orchestration.settings import Settings, read_settings
from orchestration.tracking import Status, Tag, Tracker, outbox
from orchestration.tracking.lane import Lane
from orchestration.trial_logging import SweepRun, TrialLogger

EXPERIMENT = "drmn-steered"
NUM_SLOTS = 2
HAPPENINGS = ("goes well", "raises", "loses its process")
"""What can become of a call to a trial."""


class SteeredTrial(PretendTrial):
    """Takes up its checkpoint, as a real one does."""

    num_epochs = 4

    def _begin(self, config: Mapping[str, Any], storage: Any) -> None:
        super()._begin(config, storage)
        if config["checkpoints"]:
            self._epoch = int((Path(config["checkpoints"][0]) / "epoch").read_text())

    def call(self, method: str, *args: Any, **kwargs: Any) -> object:
        """See PretendTrial."""
        if method == "restore":
            self._epoch = int((Path(args[0].checkpoint.path) / "epoch").read_text())
            return None
        return super().call(method, *args, **kwargs)

    def duration_s(self, method: str) -> float:
        """All calls take no time; the steering chooses their order."""
        return 0.0

    def _train(self) -> dict[str, Any]:
        return {**super()._train(), "since": 0}


@dataclass(frozen=True, kw_only=True)
class Order:
    """Which of the events that are due comes next, and what becomes of it."""

    place: int = 0
    happening: str = HAPPENINGS[0]


class SteeredActorManager(SimulatedActorManager):
    """Handles the event that it is ordered to, where it would have waited."""

    def __init__(self, resource_manager: object, *, cluster: PretendCluster) -> None:
        super().__init__(resource_manager, cluster=cluster)
        self.controller: Any = None
        SteeredActorManager.newest = self

    newest: "SteeredActorManager"

    def add_actor(self, *args: Any, **kwargs: Any) -> Any:
        """See RayActorManager."""
        self.controller = kwargs["on_start"].__self__
        return super().add_actor(*args, **kwargs)

    def remove_actor(self, tracked_actor: Any, *args: Any, **kwargs: Any) -> bool:
        """See RayActorManager; what is removed is not told to have started."""
        for event in list(self._tasks.get(tracked_actor, ())):
            if event.method == "start":
                self._end(event)
        return super().remove_actor(tracked_actor, *args, **kwargs)

    def next(self, timeout: float | None = None) -> bool:
        """Give way until there is an order; whether there was anything to order."""
        self._start_actors()
        due = [event for _, _, event in sorted(self._events) if not event.is_over]
        if not due:
            return False
        order: Order = greenlet.getcurrent().parent.switch(due)
        event = due[order.place % len(due)]
        if event.method != "train" or order.happening == HAPPENINGS[0]:
            self._handle(event)
        else:
            self._fail(event, order.happening)
        self._start_actors()
        return True

    def _fail(self, event: Any, happening: str) -> None:
        self._end(event)
        if happening == "raises":
            error = DivergenceError("the loss is NaN")
            event.on_error(RayTaskError("train", "Traceback", error))
            return
        event.on_error(RayActorError())
        if event.actor in self._live_actors_to_ray_actors_resources:
            self._stopped(event.actor)


class SteppedLane(Lane):
    """Sends when it is told to, in whose thread it is told."""

    opened: "list[SteppedLane]" = []  # noqa: RUF012

    def __init__(self, spool: Any, deliver: Any, pace: Any, name: str) -> None:
        self._spool, self._deliver, self.trouble = spool, deliver, ""
        SteppedLane.opened.append(self)

    def send(self) -> None:
        """Once, what is there."""
        if self._spool.num_left:
            self._attempt()

    def hurry(self) -> None:
        """All that can be sent."""
        while self._spool.num_left and self._attempt():
            pass

    def stop(self, timeout_s: float) -> bool:
        """There is no thread."""
        return True


class SteeredDriver:
    """One life of a sweep's driver; ``state`` is "waits", "ended", "interrupted" or "dead"."""

    def __init__(self, request: SweepRequest, home: Path) -> None:
        self._request = request
        self.settings: Settings = read_settings({"DRMN_HOME": str(home)})
        self.state = ""
        self.is_braked = self.ended_in_order = self.is_dead = False
        self._greenlet = greenlet.greenlet(self._run)
        self.lanes: list[SteppedLane] = []

    def begin(self) -> None:
        """As far as its first wait."""
        SteppedLane.opened.clear()
        self._go_on()
        self.lanes = list(SteppedLane.opened)

    def step(self, order: Order) -> None:
        """As far as its next wait."""
        self._go_on(order)

    def raise_in_it(self, error: BaseException) -> None:
        """Have ``error`` befall it where it waits."""
        self._watched(lambda: self._greenlet.throw(error))

    def statuses(self) -> dict[str, str]:
        """What Tune's controller says of each trial."""
        controller = SteeredActorManager.newest.controller
        trials = controller.get_trials() if controller else []
        return {trial.config["trial"]: trial.status for trial in trials}

    def _go_on(self, *order: Order) -> None:
        self._watched(lambda: self._greenlet.switch(*order))

    def _watched(self, move: Any) -> None:
        self.ended_in_order = False
        try:
            move()
        except BaseException as error:  # noqa: BLE001
            self.state = self._how_it_ended(error)
        else:
            self.ended_in_order = self._greenlet.dead
            self.state = "ended" if self._greenlet.dead else "waits"

    def _how_it_ended(self, error: BaseException) -> str:
        if self.is_dead:  # what befalls a dead driver while it unwinds never happened
            return "dead"
        if not isinstance(error, SweepInterruptedError | KeyboardInterrupt):
            raise error
        self.ended_in_order = isinstance(error, SweepInterruptedError)
        return "interrupted"

    def _run(self) -> None:
        request, folder = self._request, self.settings.sweep_folder(self._request.name)
        tracker = Tracker(self.settings, EXPERIMENT, folder)
        parent = tracker.open_run(request.key, "sweep", {Tag.SWEEP: request.name})
        run = SweepRun(run_id=parent, sweep=request.key, tags={}, config=request.config)
        parts = SearchParts(
            folder=folder,
            ledger=Ledger(folder / LEDGER_FILE),
            context=None,  # type: ignore[arg-type]  # no trial is made
            logger=TrialLogger(tracker, run),
            trainable=ScriptedTrainable,
        )
        status = Status.FAILED
        try:
            with (folder / "console.txt").open("w") as lines:
                search(request, self.settings, Console(file=lines), parts)
            status = Status.FINISHED
        except (SweepInterruptedError, KeyboardInterrupt):
            status = Status.STOPPED
            raise
        finally:
            if self.is_dead:
                tracker._outbox._release()
            else:
                tracker.close_run(parent, status)
                tracker.finish(0.0)


class steering:  # noqa: N801
    """For the time of a ``with``: Tune's controller and MLflow's lanes wait for orders."""

    def __enter__(self) -> None:
        pretended = PretendCluster(
            num_slots=NUM_SLOTS,
            durations=Durations(),
            clock=SimulatedClock(),
            record=Record(),
            trial=SteeredTrial,
        )
        self._real = tune_controller.RayActorManager, outbox.Lane
        tune_controller.RayActorManager = partial(SteeredActorManager, cluster=pretended)
        outbox.Lane = SteppedLane  # type: ignore[misc]

    def __exit__(self, *_: object) -> None:
        tune_controller.RayActorManager, outbox.Lane = self._real  # type: ignore[misc]
