"""One call of ``drmn ablate``, checked before anything starts."""

from dataclasses import dataclass, field
from pathlib import Path

from drmn.config import Config
from drmn.errors import ConfigError
from orchestration.request import Resources
from orchestration.study.definition import Study


@dataclass(frozen=True, kw_only=True)
class StudyRequest:
    """What to run, on what.

    Args:
        bases: the recipe of each data set, before rows.
        features: a published store's place; None: features are extracted.
        rows: which rows to run now; None: all.
        tune_each: trials of the search that every row gets on validation; 0: the preset's values.
    """

    name: str
    study: Study
    bases: dict[str, Config]
    data_root: Path
    seeds: list[int]
    features: str | None = None
    rows: list[str] | None = None
    tune_each: int = 0
    resources: Resources = field(default_factory=Resources)
    max_concurrent: int | None = None

    def __post_init__(self) -> None:
        if not self.seeds:
            raise ConfigError("the study has 0 seeds, but must have >= 1")
        for name in self.rows or ():
            self.study.row(name)
        if self.study.part == "test":
            self._check_protocol()

    def _check_protocol(self) -> None:
        for dataset, base in self.bases.items():
            if base.validation.protocol != "validation":
                raise ConfigError(
                    f"validation.protocol of {dataset} is {base.validation.protocol!r}, "
                    "but a study whose part is test must choose nothing on test",
                    "give the study file `part: validation`: it is then labelled best-on-test",
                )
