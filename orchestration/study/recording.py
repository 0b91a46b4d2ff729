"""What a study's record says when a command comes, first or again."""

from collections.abc import Mapping

from drmn.data.dataset import Dataset
from drmn.errors import ConfigError
from orchestration.provenance.tags import command_line
from orchestration.study.files import StudyFolder, StudyRecord
from orchestration.study.request import StudyRequest
from orchestration.study.training import study_split


def open_record(
    request: StudyRequest, folder: StudyFolder, datasets: Mapping[str, Dataset]
) -> StudyRecord:
    """The record of ``request``, written; joined with what an earlier command asked for.

    Later commands may bring more seeds and data sets, and run other rows.

    Raises:
        ConfigError: the study exists with other rows, another recipe or another split.
    """
    record = _fresh(request, datasets)
    if folder.exists:
        record = _joined(request, folder.record(), record)
    folder.write_record(record)
    return record


def _fresh(request: StudyRequest, datasets: Mapping[str, Dataset]) -> StudyRecord:
    splits = {
        name: study_split(datasets[name], base, request.study.part)
        for name, base in request.bases.items()
    }
    return StudyRecord(
        study=request.study,
        bases={name: base.flat() for name, base in request.bases.items()},
        splits={name: split.hash for name, split in splits.items()},
        protocols={name: split.protocol for name, split in splits.items()},
        class_names={name: list(split.class_names) for name, split in splits.items()},
        attribute_names={name: list(datasets[name].attribute_names) for name in request.bases},
        data_root=str(request.data_root),
        seeds=sorted(request.seeds),
        tune_each=request.tune_each,
        commands=[command_line()],
        tuned={},
    )


def _joined(request: StudyRequest, old: StudyRecord, new: StudyRecord) -> StudyRecord:
    for what in ("study", "tune_each"):
        _check_same(request.name, what, getattr(old, what), getattr(new, what))
    for what in ("bases", "splits"):
        before, after = getattr(old, what), getattr(new, what)
        for dataset in before.keys() & after.keys():
            label = f"{what} of {dataset}"
            _check_same(request.name, label, before[dataset], after[dataset])
    return StudyRecord(
        study=new.study,
        bases={**old.bases, **new.bases},
        splits={**old.splits, **new.splits},
        protocols={**old.protocols, **new.protocols},
        class_names={**old.class_names, **new.class_names},
        attribute_names={**old.attribute_names, **new.attribute_names},
        data_root=new.data_root,
        seeds=sorted({*old.seeds, *new.seeds}),
        tune_each=new.tune_each,
        commands=list(dict.fromkeys([*old.commands, *new.commands])),
        tuned=old.tuned,
        searches=old.searches,
    )


def _check_same(name: str, what: str, old: object, new: object) -> None:
    if old == new:
        return
    shown = _difference(old, new) if isinstance(old, dict) and isinstance(new, dict) else ""
    raise ConfigError(
        f"the study {name!r} exists with another {what}{shown}",
        "give this one another --name, or the options that the other was begun with",
    )


def _difference(old: Mapping[str, object], new: Mapping[str, object]) -> str:
    changed = [key for key in old.keys() | new.keys() if old.get(key) != new.get(key)]
    return ": " + ", ".join(f"{key} {old.get(key)} -> {new.get(key)}" for key in sorted(changed))
