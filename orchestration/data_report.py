"""What ``drmn data check`` found, as tables for people and as JSON for programs."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from drmn.data.checking import CheckReport, Severity, split_counts
from drmn.data.dataset import Dataset, dataset_key
from drmn.data.layouts.xlsa17 import NAME as XLSA17
from drmn.data.literature import KNOWN_SPLITS, PUBLISHED

UNKNOWN_SPLIT = "unknown"
OWN_SPLIT = "none published for this data"
_STYLES = {Severity.NOTE: "cyan", Severity.WARNING: "yellow", Severity.FATAL: "bold red"}
_VERDICTS = {0: "good", 1: "usable, with findings", 2: "unusable"}


def print_report(report: CheckReport, console: Console) -> None:
    """Pictures, splits, folds, findings and the verdict."""
    if report.dataset is not None:
        console.print(_pictures(report))
        console.print(_splits(report.dataset))
        console.print(_folds(report))
    for finding in report.findings:
        style = _STYLES[finding.severity]
        console.print(
            f"[{style}]{finding.severity}:[/] {escape(finding.text)}",
            highlight=False,
            soft_wrap=True,
        )
    console.print(f"verdict: {_VERDICTS[report.exit_code]} (exit code {report.exit_code})")


def report_as_json(report: CheckReport) -> dict[str, object]:
    """The whole report; image lists in full."""
    findings = [{"severity": f.severity.value, "text": f.text} for f in report.findings]
    content: dict[str, object] = {"exit_code": report.exit_code, "findings": findings}
    if (dataset := report.dataset) is None:
        return content
    splits = {
        name: {"images": num, "classes": classes}
        for name, (num, classes) in split_counts(dataset).items()
    }
    return content | {
        "dataset": dataset.name,
        "root": str(dataset.root),
        "layout": dataset.layout,
        "images": {
            "expected": len(dataset.image_paths),
            "found": report.num_found,
            "location": str(report.location),
            "missing": list(report.missing),
            "broken": dict(report.broken),
        },
        "splits": splits,
        "published": vars(counts) if (counts := _published(dataset)) else None,
        "split_version": split_version(dataset),
        "split_hash": dataset.split_hash,
        "data_hash": dataset.data_hash,
        "attribute_names": list(dataset.attribute_names),
        "folds": list(report.folds),
    }


def split_version(dataset: Dataset) -> str:
    """The name of a split whose hash is known."""
    if dataset_key(dataset.name) not in PUBLISHED or dataset.layout != XLSA17:
        return OWN_SPLIT
    return KNOWN_SPLITS.get(dataset.split_hash, UNKNOWN_SPLIT)


def _published(dataset: Dataset) -> object:
    return PUBLISHED.get(dataset_key(dataset.name))


def _pictures(report: CheckReport) -> Table:
    dataset = report.dataset
    assert dataset is not None
    table = Table(title=f"{dataset.name}: {dataset.layout} in {dataset.root}")
    for column in ("images", "found", "missing", "broken", "classes", "attributes", "named"):
        table.add_column(column, justify="right")
    names = dataset.attribute_names
    table.add_row(
        str(len(dataset.image_paths)),
        str(report.num_found),
        str(len(report.missing)),
        str(len(report.broken)),
        str(len(dataset.class_names)),
        str(len(names)),
        ", ".join(names[:2]) + ", ...",
    )
    return table


def _splits(dataset: Dataset) -> Table:
    published = PUBLISHED.get(dataset_key(dataset.name)) if dataset.layout == XLSA17 else None
    table = Table("split", "images", "published", "classes", title=f"split {dataset.split_hash}")
    for name, (num_images, num_classes) in split_counts(dataset).items():
        expected = str(getattr(published, name)) if published else "-"
        table.add_row(name, str(num_images), expected, str(num_classes))
    table.caption = f"version: {split_version(dataset)}"
    return table


def _folds(report: CheckReport) -> Table:
    table = Table("fold", "train", "seen", "unseen", "held-out classes", "hash")
    table.title = "validation, carved out of trainval"
    for fold in report.folds:
        held_out = fold["held_out_classes"]
        assert isinstance(held_out, list)
        counts = [str(fold[part]) for part in ("fold", "train", "eval_seen", "eval_unseen")]
        table.add_row(*counts, str(len(held_out)), str(fold["hash"]))
    return table
