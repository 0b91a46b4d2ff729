"""A sweep's runs in MLflow against its ledger: what lacks is sent again, what is open is closed."""

from collections.abc import Mapping

from drmn.config import Config
from drmn.names import LOSS_TOTAL
from orchestration.events import Fate
from orchestration.ledger import TrialHistory
from orchestration.repair.truth import Difference
from orchestration.repair.twins import delete_twins, twin_differences
from orchestration.tracking import DirectTracker, RunRecord, Status, Tag
from orchestration.trial_logging import FATE_STATUS, SweepRun, logged_metrics, open_trial_run

_RUNNING = "RUNNING"
_OF_THE_PARENT_ALONE = {Tag.KIND, Tag.COMMAND, Tag.TRIAL_KEY, Tag.HOST, Tag.CPU, Tag.GPU}


class SweepRuns:
    """The runs below one sweep's own run, and that one.

    Args:
        tracker: of the sweep's experiment.
        key: the sweep's on shared servers.
        config: of the sweep, before any trial's overrides.
        objective: by which trials are judged.
        is_finished: whether the winner has been tested.
    """

    def __init__(
        self,
        tracker: DirectTracker,
        key: str,
        config: Config,
        *,
        objective: str,
        is_finished: bool,
    ) -> None:
        self._tracker = tracker
        self._key = key
        self._config = config
        self._objective = objective
        self._ending = Status.FINISHED if is_finished else Status.STOPPED
        self._records = tracker.runs_of(key)

    @property
    def is_begun(self) -> bool:
        """Whether the sweep's own run is there."""
        return self._key in self._records

    def differences(
        self, histories: Mapping[str, TrialHistory], fates: Mapping[str, Fate]
    ) -> list[Difference]:
        """What the runs lack or say wrongly; nothing where the sweep's own run was never begun."""
        if not self.is_begun:
            return []
        found = [
            difference
            for name, history in sorted(histories.items())
            for difference in self._of_trial(name, history, FATE_STATUS[fates[name]])
        ]
        found += [
            self._difference(record.name, _RUNNING, self._ending)
            for record in self._others(histories)
            if record.status == _RUNNING
        ]
        return found + twin_differences(self._records)

    def mend(self, histories: Mapping[str, TrialHistory], fates: Mapping[str, Fate]) -> None:
        """Write what :meth:`differences` names.

        Raises:
            TrackingError: MLflow refuses.
        """
        if not self.is_begun:
            return
        delete_twins(self._tracker, self._records)
        for name, history in sorted(histories.items()):
            if self._of_trial(name, history, FATE_STATUS[fates[name]]):
                self._mend_trial(name, history, FATE_STATUS[fates[name]])
        for record in self._others(histories):
            if record.status == _RUNNING:
                self._tracker.close_run(record.run_id, self._ending)

    def describe(self, note: str) -> None:
        """Have the sweep's own run say this, unless it was never begun."""
        if self._key in self._records:
            self._tracker.describe(self._records[self._key].run_id, note)

    def _of_trial(self, name: str, history: TrialHistory, status: Status) -> list[Difference]:
        record = self._records.get(f"{self._key}/{name}")
        if record is None:
            return [self._difference(f"trial {name}", "no run", status)]
        found = []
        if record.status != status:
            found.append(self._difference(f"trial {name}", record.status, status))
        if lacking := self._lacking(record, history):
            has = f"{len(history.epochs) - len(lacking)} epochs"
            found.append(self._difference(f"trial {name}", has, f"{len(history.epochs)} epochs"))
        num_params = len(self._trial_config(history).flat())
        if record.num_params < num_params:
            has = f"{record.num_params} params"
            found.append(self._difference(f"trial {name}", has, f"{num_params} params"))
        return found

    def _mend_trial(self, name: str, history: TrialHistory, status: Status) -> None:
        parent = self._parent()
        run_id = open_trial_run(self._tracker, parent, name, history.overrides)
        known = self._tracker.steps(run_id, LOSS_TOTAL)
        lacking = {e: logged_metrics(m) for e, m in history.epochs.items() if e not in known}
        if lacking:
            self._tracker.log_epochs(run_id, lacking)
        self._tracker.describe(run_id, parent.note(name, history))
        self._tracker.close_run(run_id, status)

    def _lacking(self, record: RunRecord, history: TrialHistory) -> set[int]:
        return set(history.epochs) - self._tracker.steps(record.run_id, LOSS_TOTAL)

    def _others(self, histories: Mapping[str, TrialHistory]) -> list[RunRecord]:
        """The sweep's own run and its final ones."""
        trials = {f"{self._key}/{name}" for name in histories}
        return [record for key, record in sorted(self._records.items()) if key not in trials]

    def _parent(self) -> SweepRun:
        record = self._records[self._key]
        tags = {
            key: value
            for key, value in record.tags.items()
            if key.startswith("drmn.") and key not in _OF_THE_PARENT_ALONE
        }
        return SweepRun(
            run_id=record.run_id,
            sweep=self._key,
            tags=tags,
            config=self._config,
            data=record.data,
            name=record.tags.get(Tag.SWEEP, ""),
            objective=self._objective,
        )

    def _trial_config(self, history: TrialHistory) -> Config:
        return self._config.with_overrides(history.overrides)

    @staticmethod
    def _difference(subject: str, has: str, should_have: str) -> Difference:
        return Difference(subject=subject, book="MLflow", has=has, should_have=should_have)
