"""A study on disk: what was asked, and one folder per training, from which all else follows.

``<home>/studies/<name>/study.json`` and ``trainings/<key>/{result.json, logits.parquet,
explanation.npz}``. A training is done when its result.json is there: it is written last.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from drmn.atomic import replacing
from drmn.config import Config
from drmn.config_tree import Scalar
from drmn.errors import ConfigError
from drmn.logits import Logits
from drmn.reading import reading
from drmn.variants import Variant
from orchestration.study.definition import Comparison, Run, Study, run_of

RECORD_FILE = "study.json"
RESULT_FILE = "result.json"
LOGITS_FILE = "logits.parquet"
EXPLANATION_FILE = "explanation.npz"


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """What one training leaves beside its logits; everything a report needs to know of it."""

    dataset: str
    seed: int
    config: dict[str, Scalar]
    history: list[dict[str, float]]
    duration_s: float
    host: str
    tags: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class StudyRecord:
    """A study as it was asked for: over which recipes and seeds, and by which commands."""

    study: Study
    bases: dict[str, dict[str, Scalar]]
    """Flat configuration of each data set, before rows."""
    splits: dict[str, str]
    """Hash of each data set's split."""
    protocols: dict[str, str]
    """"test", "validation" or "best-on-test", for each data set."""
    class_names: dict[str, list[str]]
    attribute_names: dict[str, list[str]]
    data_root: str
    seeds: list[int]
    tune_each: int = 0
    commands: list[str]
    tuned: dict[str, dict[str, Scalar]]
    """What was found for ``dataset/row``; empty without ``tune_each``."""
    searches: dict[str, str] = field(default_factory=dict)
    """The sweep that found it."""

    @property
    def data_path(self) -> Path:
        """The data root as a path."""
        return Path(self.data_root)

    def runs(self, rows: list[str] | None = None) -> list[Run]:
        """Every data set x row x seed, seeds outermost: a part of a study is a smaller study."""
        chosen = [row for row in self.study.rows if rows is None or row.name in rows]
        return [
            run_of(Config.from_flat(base), row, seed, self.tuned.get(f"{dataset}/{row.name}"))
            for seed in self.seeds
            for dataset, base in self.bases.items()
            for row in chosen
        ]


class StudyFolder:
    """Reads and writes the files of one study."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def training(self, key: str) -> Path:
        """Folder of a training."""
        return self.path / "trainings" / key

    def is_done(self, key: str) -> bool:
        return (self.training(key) / RESULT_FILE).is_file()

    def result(self, key: str) -> TrainingResult:
        file = self.training(key) / RESULT_FILE
        with reading(file, "a training's result", "remove it; the training is then made again"):
            return TrainingResult(**json.loads(file.read_text()))

    def logits(self, key: str) -> Logits:
        return Logits.load(self.training(key) / LOGITS_FILE)

    def keep(self, key: str, files: Path, result: TrainingResult) -> None:
        """Take over the files of a training, its result.json last."""
        for source in sorted(files.iterdir()):
            if source.name in (LOGITS_FILE, EXPLANATION_FILE):
                with replacing(self.training(key) / source.name) as temporary:
                    temporary.write_bytes(source.read_bytes())
        _write_json(self.training(key) / RESULT_FILE, asdict(result))

    def logged(self, key: str) -> list[str]:
        """Hashes of the configurations for which a training is in MLflow."""
        file = self.training(key) / "logged.json"
        with reading(file, "a list of what is in MLflow", "remove it; it is then logged again"):
            return list(json.loads(file.read_text())) if file.is_file() else []

    def mark_logged(self, key: str, hashes: list[str]) -> None:
        _write_json(self.training(key) / "logged.json", hashes)

    def record(self) -> StudyRecord:
        """What was asked for.

        Raises:
            ConfigError: there is no study here.
            DataError: the file is no record.
        """
        file = self.path / RECORD_FILE
        if not file.is_file():
            known = sorted(path.parent.name for path in self.path.parent.glob(f"*/{RECORD_FILE}"))
            raise ConfigError(
                f"there is no study at {self.path}",
                f"known there: {', '.join(known) or 'none'}; `drmn ablate` makes one",
            )
        with reading(file, "a study's record", "give its `drmn ablate` command again, elsewhere"):
            content = json.loads(file.read_text())
            return StudyRecord(**{**content, "study": _study(content["study"])})

    def write_record(self, record: StudyRecord) -> None:
        _write_json(self.path / RECORD_FILE, asdict(record))

    @property
    def exists(self) -> bool:
        return (self.path / RECORD_FILE).is_file()


def _study(content: dict[str, Any]) -> Study:
    rows = tuple(Variant(**row) for row in content["rows"])
    comparisons = tuple(Comparison(**pair) for pair in content["comparisons"])
    return Study(**{**content, "rows": rows, "comparisons": comparisons})


def _write_json(path: Path, content: object) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
