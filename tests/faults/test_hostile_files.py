"""Files that somebody made to do harm: each reader reads them or says which one is wrong."""

import ast
import pickle
from pathlib import Path
from typing import Any

import pytest
from hostile_bytes import alterations, altered, damaged, damages, is_json, traps
from hostile_readers import Reader
from hostile_trial import READERS, arena, trapped
from hypothesis import HealthCheck, given, settings

# Pillow says on stderr what it puts up with in a picture
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

REPOSITORY = Path(__file__).resolve().parents[2]
_FEW = settings(
    max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
readers = pytest.mark.parametrize("reader", READERS, ids=lambda each: each.name)


def test_the_canary_sings(tmp_path: Path) -> None:
    for name, data in traps(tmp_path / "canary"):
        if "pickle" in name:
            pickle.loads(data).close()  # noqa: S301  # the test of the test
            assert (tmp_path / "canary").exists()
            (tmp_path / "canary").unlink()


@readers
def test_traps_are_refused_or_read_as_nothing(reader: Reader) -> None:
    with arena(reader) as place:
        assert "refused" in trapped(place).values() or reader.name in LENIENT


LENIENT = {
    "state of Tune",
    "driver of a sweep",
    "links of a sweep",
    "events for MLflow",
    "list of names",
}
"""What these cannot use they take for nothing: the file is one of convenience, or lines of text."""


@readers
def test_damaged_bytes(reader: Reader) -> None:
    with arena(reader) as place:

        @_FEW
        @given(damages())
        def check(damage: list[tuple[int, int]]) -> None:
            place.tried(damaged(place.body, damage))

        check()


@readers
def test_hostile_values_in_json(reader: Reader) -> None:
    with arena(reader) as place:
        if not is_json(place.valid):
            return

        @_FEW
        @given(alterations())
        def check(change: tuple[int, Any, bool]) -> None:
            place.tried(altered(place.body, *change))

        check()


OPENERS = {
    "open", "read_text", "read_bytes", "loads", "load", "safe_load", "loadmat", "open_file",
    "read_table", "ParquetFile", "ZipFile", "get_single_data", "frombuffer", "unpack_from",
    "unpack", "is_zipfile", "JournalFileBackend", "run_path",
}  # fmt: skip
"""Calls by which bytes come in, or become values."""

EXEMPT = {
    "drmn/atomic.py": "opens folders, to sync them",
    "drmn/config_tree.py": "an option's text; see the hostile commands",
    "drmn/data/sprites/rendering.py": "its own drawing; anything else is drawn again",
    "drmn/data/store/remote_features.py": "shards that were checked, to be copied",
    "drmn/data/store/making.py": "opens a store through load_manifest",
    "drmn/data/store/given_features.py": "opens a store through load_manifest",
    "drmn/data/store/storage.py": "bytes that its callers parse",
    "drmn/data/store/arrow_shards.py": "write_shard",
    "drmn/sealed.py": "write_sealed",
    "orchestration/artifacts.py": "bytes to be sent, or compared with their SHA-256",
    "orchestration/checkpoints.py": "files to be copied",
    "orchestration/cli_features.py": "opens a store through load_manifest",
    "orchestration/cli_train.py": "what this process wrote a moment before",
    "orchestration/doctor/gpu.py": "the kernel's files",
    "orchestration/doctor/machine.py": "the kernel's files",
    "orchestration/doctor/ray_cluster.py": "the answer of a process of its own",
    "orchestration/doctor/several_nodes.py": "the kernel's files",
    "orchestration/exposure.py": "asks whether a page answers, and reads none of it",
    "orchestration/final.py": "files that are kept as they are",
    "orchestration/levels.py": "opens a store through load_manifest",
    "orchestration/planning/calibration.py": "the kernel's files",
    "orchestration/planning/making.py": "opens a store through load_manifest",
    "orchestration/provenance/machine.py": "the kernel's files",
    "orchestration/serving/evaluating.py": "opens a store through load_manifest",
    "orchestration/serving/final_model.py": "through Logits and FeatureStore",
    "orchestration/stopping/driver.py": "the kernel's files",
    "orchestration/study/files.py": "through Logits",
    "orchestration/study/mlflow_runs.py": "through Logits",
    "orchestration/final_runs.py": "through FinalResult",
    "orchestration/study/reading.py": "a study in Python is a program of the user's, and is run",
    "orchestration/summary.py": "what this process wrote a moment before",
    "orchestration/terminal/failures.py": "writes",
    "orchestration/tracking/outbox.py": "lines compared as text, and counted",
    "orchestration/ledger.py": "appends",
    "orchestration/pruning/journal.py": "appends",
    "orchestration/tracking/spool.py": "opens its own files; lines are parsed by _parsed",
    "orchestration/searcher/storage.py": "through open_storage",
}
"""Other places of such calls, and why no hostile file comes there."""


def _opening(path: Path) -> set[str]:
    """``file.py:function`` of each call by which bytes come in."""
    found = set()
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                name = getattr(getattr(node, "func", None), "attr", None) or getattr(
                    getattr(node, "func", None), "id", None
                )
                if isinstance(node, ast.Call) and name in OPENERS:
                    found.add(f"{path.relative_to(REPOSITORY)}:{function.name}")
    return found


def test_every_reader_of_the_packages_is_tried_here() -> None:
    covered = {code for reader in READERS for code in reader.code}
    packages = ("drmn", "orchestration", "search_spaces")
    files = [path for name in packages for path in (REPOSITORY / name).rglob("*.py")]
    opening = set().union(*map(_opening, files))
    missing = {each for each in opening - covered if each.partition(":")[0] not in EXEMPT}
    assert not missing, f"give a reader of {missing} an entry in *_readers.py, or a reason here"
    gone = [file for file in EXEMPT if not any(each.startswith(f"{file}:") for each in opening)]
    assert not gone, f"nothing is read there any more: {gone}"
