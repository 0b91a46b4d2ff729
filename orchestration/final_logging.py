"""The final run in MLflow: scores, losses, checkpoint, logits, configuration."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from drmn.config import Config
from drmn.names import GZSL_HARMONIC, LOSS_TOTAL, phased
from orchestration.final import FinalResult
from orchestration.tracking import Status, Tag, Tracker
from orchestration.trial_logging import SweepRun


def log_final(
    tracker: Tracker,
    parent: SweepRun,
    config: Config,
    final: FinalResult,
    tags: Mapping[str, str],
) -> None:
    """One child run "final"; its test scores are repeated on the sweep's own run."""
    scores = {phased("test", name): value for name, value in final.scores.items()}
    run_tags = {**parent.tags, **tags, Tag.KIND: "final", Tag.CONFIG_HASH: config.hash()}
    run_id = tracker.open_run(f"{parent.sweep}/final", "final", run_tags, parent.run_id)
    tracker.log_params(run_id, config.flat())
    logged = tracker.last_step(run_id, LOSS_TOTAL)
    for epoch, metrics in enumerate(final.history[logged:], start=logged + 1):
        tracker.log_metrics(run_id, metrics, epoch)
    for target in (run_id, parent.run_id):
        if not tracker.last_step(target, phased("test", GZSL_HARMONIC)):
            tracker.log_metrics(target, scores, config.training.epochs)
    _log_files(tracker, run_id, config, final)
    tracker.close_run(run_id, Status.FINISHED)


def _log_files(tracker: Tracker, run_id: str, config: Config, final: FinalResult) -> None:
    with tempfile.TemporaryDirectory(prefix="drmn-final-") as name:
        folder = Path(name)
        (folder / "config.json").write_text(json.dumps(config.flat(), indent=1) + "\n")
        for file_name, content in final.files.items():
            (folder / file_name).write_bytes(content)
        for path in sorted(folder.iterdir()):
            tracker.log_file(run_id, path)
