"""What a reader must know before the numbers, said from the numbers themselves."""

from collections.abc import Iterator

from drmn.config import Config
from drmn.names import GZSL_HARMONIC
from orchestration.report.results import Results
from orchestration.report.tables import points
from orchestration.summary import NOTES

LEAKING = "best-on-test"


def reading_notes(results: Results, dataset: str) -> Iterator[str]:
    """Sentences above a data set's table."""
    if dataset in NOTES:
        yield NOTES[dataset].replace("\n", " ")
    record = results.record
    yield _protocol(record.protocols[dataset], record.tune_each)
    config = Config.from_flat(record.bases[dataset])
    if config.backbone.train == "none":
        yield (
            "The backbone is frozen. The branches then share no trained weight, so the global "
            "branch cannot change o: +global has the very Acc of +DAB+SIT, and o does not depend "
            "on λ_GC. The paper's gain from the global branch needs a tuned backbone."
        )
    counts = [len(cell.seeds) for cell in results.rows(dataset)]
    num_seeds = min(counts)
    if num_seeds > 1:
        floor = 2 / 2**num_seeds
        yield (
            f"With {num_seeds} seeds the exact tests cannot give p below {floor:.4g}; the "
            "t intervals speak of other seeds on the same images and classes, the bootstrap of "
            "other classes too. Verdicts follow the t interval, uncorrected."
        )
    if max(counts) != num_seeds:
        yield "Rows have different numbers of seeds; comparisons use the common ones."
    yield from _verdicts(results, dataset)


def _protocol(protocol: str, tune_each: int) -> str:
    settings = (
        f"Every row had its own search of {tune_each} trials on validation"
        if tune_each
        else "All rows have the preset's settings"
    )
    if protocol == "test":
        return (
            f"{settings}; each trained on trainval, and its test images were read once, after "
            "the last epoch."
        )
    if protocol == LEAKING:
        return f"{settings}; choices were made on the test images themselves."
    return f"{settings}; numbers are of the validation part, no test image was read."


def _verdicts(results: Results, dataset: str) -> Iterator[str]:
    compared = results.comparisons(dataset, GZSL_HARMONIC)
    words = {
        "helps": "helps",
        "harms": "harms",
        "not shown": "no difference is shown for",
        "identical": "every seed gives the same value with and without",
    }
    for verdict, word in words.items():
        parts = [
            each.comparison.part
            + ("" if each.identical else f" ({points(each.test.difference.mean)})")
            for each in compared
            if each.verdict == verdict
        ]
        if parts:
            yield f"By H, {word}: {', '.join(parts)}."
