"""The reports a rule was told, one JSON line each, on disk before the rule's word is acted upon.

Ray's own schedulers forget their state when a sweep is restored, so that a resumed sweep prunes
less than an undisturbed one. Here the reports are played again, in their order.
"""

import json
import os
from pathlib import Path

from drmn.atomic import append_line
from drmn.reading import reading
from orchestration.pruning.rule import Rule

JOURNAL_FILE = "pruning.jsonl"
"""Its name in a sweep's folder."""


class Journal:
    """A rule with a memory: a report repeated by a resumed trial changes nothing.

    Raises:
        DataError: ``file`` is not such a journal.
    """

    def __init__(self, rule: Rule, file: Path) -> None:
        self.rule = rule
        self._file = file
        self._told: set[tuple[str, int]] = set()
        for trial, epoch, value in _read(file):
            self._decide(trial, epoch, value)

    def goes_on(self, trial: str, epoch: int, value: float) -> bool:
        """The rule's word on a report, which is written down first.

        A stopped trial that repeats earlier epochs, in another process, goes on to where it was.
        """
        if (trial, epoch) not in self._told and epoch < self.rule.max_epochs:
            append_line(self._file, json.dumps([trial, epoch, value]))
            self._decide(trial, epoch, value)
        return epoch < self.rule.stopped.get(trial, self.rule.max_epochs)

    def _decide(self, trial: str, epoch: int, value: float) -> None:
        self._told.add((trial, epoch))
        self.rule.goes_on(trial, epoch, value)


def _read(file: Path) -> list[tuple[str, int, float]]:
    """The reports so far; a line that a killed driver left without its end is cut off."""
    if not file.exists():
        return []
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(file, len(whole))
    remedy = "remove the file to forget them: trials of a resumed sweep are then compared anew"
    with reading(file, "a journal of reports to a pruning rule", remedy):
        reports = [json.loads(line) for line in whole.decode().split("\n")[:-1]]
        return [(str(trial), int(epoch), float(value)) for trial, epoch, value in reports]
