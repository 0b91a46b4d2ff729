"""Final runs in MLflow: one run per contender with means and limits, below it one per seed."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from drmn.config import Config
from drmn.names import TIME_EPOCH_S, phased
from orchestration.final import WINNER, Contender, FinalResult, FinalScores
from orchestration.notes.of_sweeps import final_note
from orchestration.provenance.tags import machine_tags
from orchestration.seed_means import shown_means
from orchestration.tracking import DataInput, Status, Tag, Tracker
from orchestration.trial_logging import SweepRun


def log_tested(
    tracker: Tracker,
    parent: SweepRun,
    tested: FinalScores,
    tags: Mapping[str, str],
    data: DataInput,
) -> None:
    """A contender's runs; the winner's test scores are repeated on the sweep's own run.

    ``tags`` and ``data`` say what the final runs read, which is not what trials do.
    """
    contender, config = tested.contender, tested.contender.config
    name = "final" if contender.name == WINNER else f"final, {contender.name}'s setting"
    key = final_key(parent.sweep, contender)
    run_tags = {**parent.tags, **tags, Tag.KIND: "final", Tag.CONFIG_HASH: config.hash()}
    run_id = tracker.open_run(key, name, run_tags, parent.run_id)
    tracker.log_params(run_id, config.flat())
    tracker.log_dataset(run_id, data)
    tracker.describe(run_id, final_note(parent.name, tested))
    for seed, result in tested.results.items():
        seed_tags = {**run_tags, **machine_tags(result.machine)}
        seed_tags |= {Tag.KIND: "final-seed", Tag.SEED: str(seed)}
        seed_key, ago_s = final_key(parent.sweep, contender, seed), _trained_s(result)
        seed_id = tracker.open_run(seed_key, f"{name}, seed {seed}", seed_tags, run_id, ago_s)
        tracker.log_dataset(seed_id, data)
        alone = FinalScores(contender=contender, results={seed: result})
        tracker.describe(seed_id, final_note(parent.name, alone))
        _log_run(tracker, seed_id, contender.run_config(seed), result)
    scores = {seed: result.scores for seed, result in tested.results.items()}
    for target in [run_id, parent.run_id] if contender.name == WINNER else [run_id]:
        tracker.show_metrics(target, shown_means(scores, "test"), config.training.epochs)
    tracker.close_run(run_id, Status.FINISHED)


def final_key(sweep: str, contender: Contender, seed: int | None = None) -> str:
    """The trial key of a contender's run in MLflow, or of one of its seeds' runs."""
    key = f"{sweep}/final-{contender.name}-{contender.config.hash()}"
    return key if seed is None else f"{key}/{seed}"


def _trained_s(result: FinalResult) -> float:
    return sum(epoch.get(TIME_EPOCH_S, 0.0) for epoch in result.history)


def _log_run(tracker: Tracker, run_id: str, config: Config, result: FinalResult) -> None:
    tracker.log_params(run_id, config.flat())
    for epoch, metrics in enumerate(result.history, start=1):
        tracker.log_metrics(run_id, metrics, epoch)
    scores = {phased("test", name): value for name, value in result.scores.items()}
    tracker.log_metrics(run_id, scores, config.training.epochs)
    _log_files(tracker, run_id, config, result)
    tracker.close_run(run_id, Status.FINISHED)


def _log_files(tracker: Tracker, run_id: str, config: Config, result: FinalResult) -> None:
    with tempfile.TemporaryDirectory(prefix="drmn-final-") as name:
        folder = Path(name)
        (folder / "config.json").write_text(json.dumps(config.flat(), indent=1) + "\n")
        for file_name, content in result.files.items():
            (folder / file_name).write_bytes(content)
        for path in sorted(folder.iterdir()):
            tracker.log_file(run_id, path)
