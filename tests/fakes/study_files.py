"""A study on disk without any training: logits are drawn, better ones for fuller rows."""

from pathlib import Path

import numpy as np
import torch

from drmn.config import Config
from drmn.logits import Logits
from orchestration.study.definition import Study
from orchestration.study.files import (
    EXPLANATION_FILE,
    LOGITS_FILE,
    StudyFolder,
    StudyRecord,
    TrainingResult,
)

NUM_CLASSES, NUM_SEEN, IMAGES_PER_CLASS = 8, 5, 10
NUM_ATTRIBUTES, NUM_CHANNELS = 6, 7
SPLIT_HASH = "5" * 16


def fake_record(study: Study, seeds: list[int], dataset: str = "cub", **overrides) -> StudyRecord:
    config = Config().with_overrides({"data.dataset": dataset, **overrides})
    return StudyRecord(
        study=study,
        bases={dataset: config.flat()},
        splits={dataset: SPLIT_HASH},
        protocols={dataset: "test" if study.part == "test" else "validation"},
        class_names={dataset: [f"class {k}" for k in range(NUM_CLASSES)]},
        attribute_names={dataset: [f"attribute {a}" for a in range(NUM_ATTRIBUTES)]},
        data_root="/nowhere",
        seeds=seeds,
        commands=["drmn ablate --dataset cub"],
        tuned={},
    )


def fake_logits(row_index: int, seed: int, *, with_global: bool) -> Logits:
    """The label's score is raised by an amount that grows with the row's place."""
    random = np.random.default_rng([row_index, seed])
    labels = np.repeat(np.arange(NUM_CLASSES), IMAGES_PER_CLASS)
    scores = random.normal(size=(2, len(labels), NUM_CLASSES)).astype(np.float32)
    scores[:, np.arange(len(labels)), labels] += 0.5 + 0.4 * row_index
    o, g = torch.from_numpy(scores)
    return Logits(
        o=o,
        g=g if with_global else None,
        labels=torch.from_numpy(labels),
        seen=torch.arange(NUM_CLASSES) < NUM_SEEN,
    )


def fake_study(folder: Path, record: StudyRecord, files: Path) -> StudyFolder:
    """Every training of ``record``, done."""
    study = StudyFolder(folder)
    study.write_record(record)
    order = [row.name for row in record.study.rows]
    for run in record.runs():
        key = run.training_key(record.splits[run.dataset])
        index = order.index(run.row)
        has_global = bool(run.config.model.global_branch.enabled)
        logits = fake_logits(index, run.seed, with_global=has_global)
        logits.save(files / LOGITS_FILE)
        random = np.random.default_rng(run.seed)
        num_attributes = len(record.attribute_names[run.dataset])
        np.savez_compressed(
            files / EXPLANATION_FILE,
            rows=np.arange(2),
            labels=np.arange(2),
            attention=random.random((2, num_attributes, 9), dtype=np.float32),
            scores=random.random((2, num_attributes), dtype=np.float32),
            channel_weights=random.random((num_attributes, NUM_CHANNELS), dtype=np.float32),
        )
        study.keep(key, files, fake_result(run.dataset, run.seed, run.config))
    return study


def fake_result(dataset: str, seed: int, config: Config) -> TrainingResult:
    return TrainingResult(
        dataset=dataset,
        seed=seed,
        config=config.flat(),
        history=[{"loss/total": 2.0 - 0.1 * epoch} for epoch in range(3)],
        duration_s=12.0,
        host="node-a",
        tags={"drmn.git_sha": "abc", "drmn.split_hash": SPLIT_HASH},
    )
