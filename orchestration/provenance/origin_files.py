"""What a run is begun with, beside its tags, as files of the run."""

from orchestration.provenance.checkout import uncommitted_diff
from orchestration.provenance.packages import requirements
from orchestration.tracking import Tracker

ORIGIN_FOLDER = "origin"
REQUIREMENTS, DIFF = "requirements.txt", "uncommitted.diff.txt"


def log_origin(tracker: Tracker, run: str) -> None:
    """Installed versions and, where the code differs from its commit, the difference.

    A resumed run keeps those it began with, as it keeps its tags.
    """
    if tracker.has_files(run, ORIGIN_FOLDER):
        return
    tracker.log_text(run, requirements(), f"{ORIGIN_FOLDER}/{REQUIREMENTS}")
    if diff := uncommitted_diff():
        tracker.log_text(run, diff, f"{ORIGIN_FOLDER}/{DIFF}")
