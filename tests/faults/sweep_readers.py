"""The readers below ``orchestration/``: what sweeps and studies keep, and what users write."""

import json
from pathlib import Path

import optuna
from hostile_readers import Reader, written
from run_store import MemoryStore

from drmn.presets import sprites
from orchestration.artifacts import ArtifactStore
from orchestration.events import Change, Fate
from orchestration.ledger import Ledger
from orchestration.planning.plan import comparison
from orchestration.pruning.journal import Journal
from orchestration.pruning.rule import NoPruning
from orchestration.publishing import fetch_sweep
from orchestration.repair.tune_state import TuneStates
from orchestration.request import SweepRequest
from orchestration.request_file import load_request, write_request
from orchestration.searcher.enqueue import read_enqueued
from orchestration.searcher.storage import open_storage
from orchestration.settings import read_settings
from orchestration.stopping import driver as drivers
from orchestration.stopping.budget import Meter
from orchestration.tracking.delivery import Delivery
from orchestration.tracking.spool import Spool
from orchestration.watching.links import load_links
from search_spaces.registry import search_space

SCORE = {"val/gzsl_harmonic": 0.5}


def sweep_request() -> SweepRequest:
    return SweepRequest(
        name="s",
        variant="+ensemble",
        config=sprites(),
        space=search_space("sprites"),
        data_root=Path("/nowhere"),
    )


def _request(folder: Path) -> Path:
    write_request(sweep_request(), folder)
    return folder / "request.json"


def _ledger(folder: Path) -> Path:
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.begin_attempt()
    ledger.started("0000", {"loss.lambda_sc": 0.1})
    ledger.epoch_ended("0000", 1, SCORE)
    ledger.changed("0000", Change(epoch=1, donor="0001", overrides={"loss.lambda_sc": 0.2}))
    ledger.ended("0000", Fate.STOPPED, 1, "SIGTERM")
    return folder / "ledger.jsonl"


def _read_ledger(path: Path) -> object:
    ledger = Ledger(path)
    found = ledger.num_attempts(), ledger.epochs(), ledger.fates()
    return found, [each.overrides_at(9) for each in ledger.histories().values()]


def _optuna(folder: Path) -> Path:
    storage = open_storage(None, folder / "study.journal")
    study = optuna.create_study(study_name="s", storage=storage)
    trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
    trial.report(0.5, 1)
    study.tell(trial, 0.5)
    return folder / "study.journal"


class _Store(ArtifactStore):
    """Gives the bytes of an index, and writes a word for every file it names."""

    def __init__(self, index: bytes) -> None:
        self._index = index

    def read(self, _name: str) -> bytes:
        return self._index

    def get(self, digest: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(digest)


def _spool(folder: Path) -> Path:
    spool = Spool(folder, "events")
    spool.append({"kind": "open", "run": "r", "name": "n", "tags": {}, "parent": "", "time_ms": 1})
    spool.append({"kind": "metrics", "run": "r", "values": {"a": 1.0}, "step": 1, "time_ms": 1})
    spool.close()
    return folder / "events.jsonl"


def _read_spool(path: Path) -> object:
    spool = Spool(path.parent, "events")
    try:
        window = spool.read()
        refused: list[str] = []
        Delivery(MemoryStore(), lambda _, reason: refused.append(reason))(window.events)
        spool.acknowledge(window)
        assert spool.num_left == 0
        return refused
    finally:
        spool.close()


def _tune(folder: Path) -> Path:
    trial = {"status": "RUNNING", "relative_logdir": "trial_0000"}
    path = folder / "s-1" / "experiment_state-x.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"trial_data": [[json.dumps(trial), "{}"]]}))
    return path


def _read_tune(path: Path) -> object:
    states = TuneStates(str(path.parents[1]), "s", 1)
    return states.differences(), states.mend()


SWEEPS: tuple[Reader, ...] = (
    Reader(
        name="request of a sweep",
        code=("orchestration/request_file.py:load_request",),
        make=_request,
        read=lambda path: load_request(path.parent),
    ),
    Reader(
        name="ledger",
        code=(
            "orchestration/ledger.py:_entries",
            "orchestration/ledger.py:_parsed",
            "orchestration/ledger.py:_drop_cut_line",
        ),
        make=_ledger,
        read=_read_ledger,
    ),
    Reader(
        name="journal of a pruner",
        code=("orchestration/pruning/journal.py:_read",),
        make=written("pruning.jsonl", '["0000", 1, 0.5]\n["0001", 1, 0.25]\n'),
        read=lambda path: Journal(NoPruning(max_epochs=3), path),
    ),
    Reader(
        name="journal of Optuna",
        code=("orchestration/searcher/storage.py:open_storage",),
        make=_optuna,
        read=lambda path: open_storage(None, path).get_all_studies(),
    ),
    Reader(
        name="usage of a budget",
        code=("orchestration/stopping/budget.py:_read",),
        make=written("usage.json", '{"wall_h": 1.5, "gpu_h": 0.5}'),
        read=Meter,
    ),
    Reader(
        name="plan",
        code=("orchestration/planning/plan.py:comparison",),
        make=written("plan.json", '{"pruned": {"epochs": 5}, "wall_s": 3.0, "request": "a"}'),
        read=lambda path: comparison(sweep_request(), path.parent, epochs=1, wall_s=1.0),
    ),
    Reader(
        name="index of a published sweep",
        code=("orchestration/publishing.py:_index",),
        make=written("index", json.dumps({"final/a.json": "a" * 64, "b": "b" * 64})),
        read=lambda path: fetch_sweep("index", path.parent / "here", _Store(path.read_bytes())),
    ),
    Reader(
        name="driver of a sweep",
        code=("orchestration/stopping/driver.py:_read",),
        make=written("driver.json", '{"host": "h", "pid": 77, "started": "5"}'),
        read=lambda path: drivers._read(path.parent),
    ),
    Reader(
        name="links of a sweep",
        code=("orchestration/watching/links.py:load_links",),
        make=written("links.json", '{"mlflow": "a", "ray": "b", "optuna": "c"}'),
        read=lambda path: load_links(path.parent, read_settings({"DRMN_HOME": str(path.parent)})),
    ),
    Reader(
        name="state of Tune",
        code=("orchestration/repair/tune_state.py:_read",),
        make=_tune,
        read=_read_tune,
    ),
    Reader(
        name="events for MLflow",
        code=(
            "orchestration/tracking/spool.py:_parsed",
            "orchestration/tracking/spool.py:_cut_partial_line",
        ),
        make=_spool,
        read=_read_spool,
    ),
    Reader(
        name="first trials in YAML",
        code=("orchestration/plain_yaml.py:read_yaml",),
        make=written("e.yaml", "- {beta: 0.5, lambda_sc: 0.1}\n- {beta: 1}\n"),
        read=lambda path: read_enqueued(path, search_space("sprites"), sprites().flat()),
    ),
)
