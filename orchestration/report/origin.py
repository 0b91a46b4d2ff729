"""Where a study's numbers come from: runs, hashes of data and code, commands."""

import shlex
from collections.abc import Iterator

from orchestration.report.results import Results, Seed
from orchestration.report.tables import Table

_HASHES = ("drmn.git_sha", "drmn.data_hash", "drmn.split_hash", "drmn.weights_hash")
_SHOWN = (*_HASHES, "drmn.protocol", "drmn.gpu")


def origin_tables(results: Results) -> Iterator[Table]:
    """Runs, hashes of each data set, and what searches found."""
    seeds = [seed for cell in results.cells.values() for seed in cell.seeds.values()]
    yield _runs(seeds)
    yield _hashes(seeds)
    if results.record.tuned:
        tuned = [
            [where, ", ".join(f"{path}={value}" for path, value in found.items())]
            for where, found in results.record.tuned.items()
        ]
        yield Table(caption="Found by search", header=["row", "settings"], rows=tuned)


def commands(results: Results) -> str:
    """What was typed, one command per line, the report's last."""
    return "\n".join([*results.record.commands, shlex.join(["drmn", "report", results.name])])


def _runs(seeds: list[Seed]) -> Table:
    header = ["data set", "row", "seed", "configuration", "training", "minutes", "host"]
    rows = [
        [seed.run.dataset, seed.run.row, str(seed.run.seed), seed.run.config.hash(), seed.key,
         f"{seed.result.duration_s / 60:.1f}", seed.result.host]
        for seed in seeds
    ]  # fmt: skip
    return Table(caption="Runs; those with one training share it", header=header, rows=rows)


def _hashes(seeds: list[Seed]) -> Table:
    found = sorted(
        {
            (seed.run.dataset, tag, value)
            for seed in seeds
            for tag, value in seed.result.tags.items()
            if tag in _SHOWN
        }
    )
    return Table(
        caption="Hashes of data and code; more than one value: trainings of different code",
        header=["data set", "what", "value"],
        rows=[list(each) for each in found],
    )
