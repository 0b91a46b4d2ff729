"""Is a data set what it should be? What was found, what is missing, what is broken, what leaks.

A finding is a note (nothing to mend), a warning (usable, with this in mind) or fatal.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from drmn.config import ValidationConfig
from drmn.data.attribute_names import has_attribute_names
from drmn.data.dataset import Dataset, dataset_key, load_dataset
from drmn.data.images import ImageSource, images, missing_images
from drmn.data.layouts.xlsa17 import NAME as XLSA17
from drmn.data.literature import KNOWN_SPLITS, PUBLISHED
from drmn.data.splits import published_parts, validation_split
from drmn.errors import DataError

NUM_FOLDS = 3
NUM_NAMED = 5

Progress = Callable[[int, int], None]


class Severity(StrEnum):
    NOTE = "note"
    WARNING = "warning"
    FATAL = "fatal"


@dataclass(frozen=True, kw_only=True)
class Finding:
    severity: Severity
    text: str


@dataclass(frozen=True, kw_only=True, eq=False)
class CheckReport:
    """``dataset`` is None where nothing could be loaded; broken maps image to reason."""

    findings: tuple[Finding, ...]
    dataset: Dataset | None = None
    location: Path | None = None
    num_found: int = 0
    missing: tuple[str, ...] = ()
    broken: tuple[tuple[str, str], ...] = ()
    folds: tuple[dict[str, object], ...] = ()

    @property
    def exit_code(self) -> int:
        """0 good, 1 usable with findings, 2 unusable."""
        severities = {finding.severity for finding in self.findings}
        if Severity.FATAL in severities:
            return 2
        return int(Severity.WARNING in severities)


def check_dataset(
    name: str, data_root: Path, *, decode: bool = True, progress: Progress | None = None
) -> CheckReport:
    """Everything about a data set that can be known before training; nothing is raised.

    Args:
        decode: also decode every picture; else only their presence is checked.
        progress: called with the number of pictures decoded and their total.
    """
    try:
        dataset = load_dataset(name, data_root)
        source = images(dataset)
    except DataError as error:
        return CheckReport(findings=(Finding(severity=Severity.FATAL, text=str(error)),))
    absent = missing_images(dataset, source)
    missing = tuple(dataset.image_paths[row] for row in absent)
    present = [tail for tail in dataset.image_paths if source.has(tail)]
    broken = tuple(broken_images(source, present, progress)) if decode else ()
    findings = [*_about_pictures(dataset, missing, broken), *_about_names(dataset)]
    findings += [*_about_splits(dataset), *_about_validation(dataset)]
    if not decode:
        findings.append(Finding(severity=Severity.NOTE, text="pictures were not decoded"))
    return CheckReport(
        findings=tuple(findings),
        dataset=dataset,
        location=source.location,
        num_found=len(present),
        missing=missing,
        broken=broken,
        folds=tuple(_folds(dataset)),
    )


def broken_images(
    source: ImageSource, tails: list[str], progress: Progress | None = None
) -> list[tuple[str, str]]:
    """Every picture that cannot be decoded, with the reason; all cores work."""
    broken = []
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for done, (tail, reason) in enumerate(
            zip(tails, threads.map(lambda tail: _reason(source, tail), tails), strict=True), start=1
        ):
            if reason is not None:
                broken.append((tail, reason))
            if progress is not None:
                progress(done, len(tails))
    return broken


def _reason(source: ImageSource, tail: str) -> str | None:
    try:
        source.open_image(tail)
    except DataError as error:
        return error.message
    return None


def _about_pictures(
    dataset: Dataset, missing: tuple[str, ...], broken: tuple[tuple[str, str], ...]
) -> list[Finding]:
    total = len(dataset.image_paths)
    findings = []
    for word, tails in (("missing", missing), ("broken", tuple(tail for tail, _ in broken))):
        if tails:
            named = ", ".join(tails[:NUM_NAMED]) + (", ..." if len(tails) > NUM_NAMED else "")
            severity = Severity.FATAL if len(tails) == total else Severity.WARNING
            text = f"{len(tails)} of {total} images are {word}: {named}"
            findings.append(Finding(severity=severity, text=text))
    if dataset.excluded:
        text = f"{len(dataset.excluded)} images are left out by exclude.txt"
        findings.append(Finding(severity=Severity.WARNING, text=text))
    return findings


def _about_names(dataset: Dataset) -> list[Finding]:
    if has_attribute_names(dataset.attribute_names):
        return []
    text = "no attributes.txt or predicates.txt: attributes are called by number"
    return [Finding(severity=Severity.WARNING, text=text)]


def _about_splits(dataset: Dataset) -> list[Finding]:
    findings = [Finding(severity=Severity.WARNING, text=note) for note in dataset.notes]
    known = dataset_key(dataset.name) in PUBLISHED and dataset.layout == XLSA17
    if known and not dataset.excluded and dataset.split_hash not in KNOWN_SPLITS:
        text = (
            f"the split has the published counts, but its hash {dataset.split_hash} is none we "
            "know: perhaps another version; never compare it with results on version 2"
        )
        findings.append(Finding(severity=Severity.WARNING, text=text))
    return findings


def _about_validation(dataset: Dataset) -> list[Finding]:
    """Whether the published train_loc and val_loc may be used; they never are by default."""
    if dataset.published_validation is None:
        return []
    try:
        published_parts(dataset)
    except DataError as error:
        return [Finding(severity=Severity.NOTE, text=error.message)]
    text = "train_loc and val_loc touch no test image: validation.source=published is possible"
    return [Finding(severity=Severity.NOTE, text=text)]


def _folds(dataset: Dataset) -> list[dict[str, object]]:
    """Hash and held-out classes of the first validation folds."""
    folds: list[dict[str, object]] = []
    for fold in range(NUM_FOLDS):
        try:
            split = validation_split(dataset, ValidationConfig(fold=fold))
        except DataError:
            return folds
        unseen = [
            name for name, seen in zip(split.class_names, split.seen, strict=True) if not seen
        ]
        counts = {
            part: len(getattr(split, part).rows) for part in ("train", "eval_seen", "eval_unseen")
        }
        folds.append({"fold": fold, "hash": split.hash, **counts, "held_out_classes": unseen})
    return folds


def split_counts(dataset: Dataset) -> dict[str, tuple[int, int]]:
    """Images and classes of each split."""
    parts = {name: getattr(dataset, name) for name in ("trainval", "test_seen", "test_unseen")}
    return {name: (len(rows), len(np.unique(dataset.labels[rows]))) for name, rows in parts.items()}
