"""The readers below ``orchestration/`` of what studies and final runs keep."""

import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hostile_readers import Reader, npz, written

from drmn.config import Config
from drmn.variants import Variant
from orchestration.final import FinalResult
from orchestration.report.maps import load_explained
from orchestration.study.definition import Study
from orchestration.study.files import StudyFolder, StudyRecord, TrainingResult
from orchestration.study.reading import read_study


def _record(folder: Path) -> Path:
    study = Study(name="x", rows=(Variant(name="a", overrides={}),))
    record = StudyRecord(
        study=study, bases={"sprites": Config().flat()}, splits={}, protocols={}, class_names={},
        attribute_names={}, data_root="/nowhere", seeds=[0], commands=[], tuned={},
    )  # fmt: skip
    StudyFolder(folder).write_record(record)
    return folder / "study.json"


def _training(folder: Path) -> Path:
    found = TrainingResult(
        dataset="sprites", seed=0, config={}, history=[], duration_s=1.0, host="h", tags={}
    )
    path = folder / "trainings" / "k" / "result.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(asdict(found)))
    return path


def _explained(folder: Path) -> Path:
    path = folder / "trainings" / "k"
    path.mkdir(parents=True)
    return npz(path).rename(path / "explanation.npz")


def _read_explained(path: Path) -> object:
    cell: Any = SimpleNamespace(first=SimpleNamespace(key="k"))
    return load_explained(StudyFolder(path.parents[2]), cell)


def _logged(folder: Path) -> Path:
    StudyFolder(folder).mark_logged("k", ["a", "b"])
    return folder / "trainings" / "k" / "logged.json"


def _final(folder: Path) -> Path:
    FinalResult(scores={"a": 0.5}, history=[{"loss": 1.0}], files={"f": b"1"}).save(folder)
    return folder / "scores.json"


STUDIES: tuple[Reader, ...] = (
    Reader(
        name="study",
        code=("orchestration/study/files.py:record",),
        make=_record,
        read=lambda path: StudyFolder(path.parent).record(),
    ),
    Reader(
        name="result of a training",
        code=("orchestration/study/files.py:result",),
        make=_training,
        read=lambda path: StudyFolder(path.parents[2]).result("k"),
    ),
    Reader(
        name="what a study logged",
        code=("orchestration/study/files.py:logged",),
        make=_logged,
        read=lambda path: StudyFolder(path.parents[2]).logged("k"),
    ),
    Reader(
        name="explanation of a model",
        code=("orchestration/report/maps.py:load_explained",),
        make=_explained,
        read=_read_explained,
    ),
    Reader(
        name="scores of a final run",
        code=("orchestration/final.py:load",),
        make=_final,
        read=lambda path: FinalResult.load(path.parent),
    ),
    Reader(
        name="study in YAML",
        code=("orchestration/plain_yaml.py:read_yaml",),
        make=written("s.yaml", "name: x\nrows:\n  - {name: a, set: {model.sit.heads: 4}}\n"),
        read=lambda path: read_study(str(path)),
    ),
)
