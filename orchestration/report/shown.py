"""What the reader of a report asked to see beside what is always there."""

from dataclasses import dataclass

from drmn.errors import ConfigError
from orchestration.study.files import StudyRecord


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Names of data sets' own; none: the report's choice, which does not look at results.

    Args:
        classes: unseen classes whose image Fig. 4 shows.
        attributes: attributes that Fig. 4 shows on every image.
        sweeps: sweeps whose search is shown, beside those of ``--tune-each``.
    """

    classes: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    sweeps: tuple[str, ...] = ()

    def check(self, record: StudyRecord) -> None:
        """Every name belongs to one of the study's data sets.

        Raises:
            ConfigError: one does not; the message says how names look there.
        """
        _check("class", self.classes, record.class_names)
        _check("attribute", self.attributes, record.attribute_names)


def _check(what: str, names: tuple[str, ...], known: dict[str, list[str]]) -> None:
    for name in names:
        if not any(name in each for each in known.values()):
            examples = "; ".join(
                f"{dataset}: {', '.join(each[:8])}{' …' if len(each) > 8 else ''}"
                for dataset, each in known.items()
            )
            raise ConfigError(f"no data set of the study has the {what} {name!r}; {examples}")
