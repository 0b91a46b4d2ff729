"""A small sweep whose driver dies where it is told to, as by kill -9, and is followed by another.

Each life has a folder of its own: a copy of the disk as it was when the one before ended.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from death_points import REQUESTS, Killed, copy_of, death_points, forget
from optuna.storages import InMemoryStorage
from steered_sweep import EXPERIMENT, SteeredDriver, SteeredTrial, steering

from drmn.presets import cub
from orchestration.pruning_rule import Pruner, PruningRule
from orchestration.repair.reconciling import reconcile
from orchestration.request import SweepRequest
from orchestration.sampling import SamplerName, SamplerRule
from orchestration.searcher.asking import OptunaSearcher
from orchestration.searcher.study import open_study
from orchestration.settings import read_settings
from orchestration.tracking import OutageError, Tracker
from search_spaces.registry import search_space

NUM_TRIALS = 4
COUNTED: Counter[str] = Counter()
"""How often each thing was done, over all sweeps of this process."""


def request(pruner: Pruner) -> SweepRequest:
    """Four short trials of which two run at once; nothing is learnt from their order."""
    return SweepRequest(
        name="s",
        variant="+ensemble",
        config=cub().with_overrides({"training.epochs": SteeredTrial.num_epochs}),
        space=search_space("cub"),
        data_root=Path("nowhere"),
        num_trials=NUM_TRIALS,
        max_concurrent=2,
        pruning=PruningRule(pruner=pruner, grace_period=1, min_samples=1),
        sampler=SamplerRule(name=SamplerName.RANDOM),
    )


def drawn(asked: SweepRequest) -> dict[str, dict[str, Any]]:
    """The settings of each trial of a sweep that nothing disturbs."""
    searcher = OptunaSearcher(open_study(asked, InMemoryStorage()), asked)
    found = [searcher.suggest(str(number)) for number in range(NUM_TRIALS)]
    return {each["trial"]: each["overrides"] for each in found}  # type: ignore[index]


def empty_home(home: Path) -> Path:
    """One whose MLflow has its tables and its experiment: to make them takes a second."""
    Tracker(read_settings({"DRMN_HOME": str(home)}), EXPERIMENT, home / "sweeps" / "s").finish()
    return home


class MortalSweep:
    """The sweep ``s``, begun from a copy of ``template``; needs a connection to Ray.

    Attributes:
        countdown: after how many more places where it can die a driver does; None: it lives.
        outage: after how many more requests MLflow stops to answer; None: it answers.
        is_mended: whether the books are to agree though nothing runs.
    """

    def __init__(self, template: Path) -> None:
        self._root, self._num_lives = Path(tempfile.mkdtemp(prefix="drmn-life-")), 0
        self.home = self._root / "0"
        copy_of(template, self.home)
        self.countdown: int | None = None
        self.outage: int | None = None
        self.is_mended = self.was_killed = False
        self.driver: SteeredDriver | None = None
        self._points, self._steering = death_points(self._asked), steering()
        self._points.__enter__()
        self._steering.__enter__()

    @property
    def waits(self) -> bool:
        """Whether a driver lives."""
        return self.driver is not None and self.driver.state == "waits"

    @property
    def is_over(self) -> bool:
        """Whether the search has come to its end."""
        return self.driver is not None and self.driver.state == "ended"

    @property
    def folder(self) -> Path:
        """The sweep's own."""
        return self.home / "sweeps" / "s"

    def start(self, asked: SweepRequest, soon: int | None) -> None:
        """Begin or resume it."""
        self.request = asked
        self.driver = SteeredDriver(asked, self.home)
        self.move(self.driver.begin, soon)

    def move(self, move: Callable[[], None], soon: int | None = None) -> None:
        """Have the driver do something, or die in it."""
        COUNTED["steps of a driver"] += 1
        assert self.driver is not None
        self.countdown, self.is_mended = soon, False
        move()
        self.countdown = None
        if self.driver.state == "dead":
            self._buried()
        self.is_mended = self.driver.ended_in_order

    def send(self, lane: int, outage: int | None, soon: int | None) -> None:
        """Have MLflow take what waits for it."""
        assert self.driver is not None
        self.outage, self.countdown = outage, soon
        try:
            self.driver.lanes[lane].send()
        except Killed as killed:
            self.driver.raise_in_it(killed)
            self._buried()
        self.outage = self.countdown = None

    def die(self) -> None:
        """Between two steps."""
        assert self.driver is not None
        self._leave("between two steps")
        self.driver.raise_in_it(Killed())
        self._buried()

    def mend(self, soon: int | None = None) -> None:
        """`drmn runs reconcile`, which may be killed, too; once it was done there is no more."""
        self.countdown = soon
        try:
            self._reconcile()
        except Killed:
            self._buried()
            return
        self.countdown = None
        assert self._reconcile() == [], "a second reconciliation finds something"
        self.is_mended = True

    def close(self) -> None:
        """Leave nothing behind."""
        if self.waits:
            self.die()
        self._steering.__exit__()
        self._points.__exit__(None, None, None)
        for life in range(self._num_lives + 1):
            forget(self._root / str(life))
        shutil.rmtree(self._root)

    def _reconcile(self) -> list[Any]:
        settings = read_settings({"DRMN_HOME": str(self.home)})
        return reconcile(self.request, settings, EXPERIMENT, dry_run=False)

    def _asked(self, place: str) -> None:
        """See death_points: at the last place that is counted down to, the driver is gone."""
        if self.outage is not None and place.partition(" ")[2] in REQUESTS:
            self._fail(place)
        if self.countdown is None:
            return
        if self.countdown > 0:
            self.countdown -= 1
            return
        self._leave(place)
        raise Killed

    def _fail(self, place: str) -> None:
        assert self.outage is not None
        self.outage -= 1
        if self.outage < 0:
            COUNTED[f"MLflow is away {place}"] += 1
            raise OutageError("MLflow does not answer: this was made to happen")

    def _leave(self, place: str) -> None:
        """Keep the disk as it is; what the dead one does while it unwinds is not there."""
        COUNTED["deaths"] += 1
        COUNTED[f"died {place}"] += 1
        self.countdown, self.was_killed = None, True
        if self.driver is not None:
            self.driver.is_dead = True
        copy_of(self.home, self._root / str(self._num_lives + 1))

    def _buried(self) -> None:
        self._num_lives += 1
        self.home = self._root / str(self._num_lives)
        self.countdown, self.is_mended = None, False
