"""Tune's own record of a sweep's attempts: after a driver's death it says RUNNING for ever."""

import json
from typing import Any

from pyarrow import fs
from ray.tune.experiment import Trial

from drmn.errors import DataError
from drmn.places import open_place, shown, store_errors
from orchestration.checkpoints import TRIAL_FOLDER, attempt_name
from orchestration.repair.truth import Difference

_ENDED = (Trial.TERMINATED, Trial.ERROR)
_PREFIX = TRIAL_FOLDER.format(trial="")


class TuneStates:
    """The newest state file of every attempt's experiment.

    Raises:
        DataError: one is no state file of Tune's, or the storage cannot be read.
    """

    def __init__(self, storage: str, sweep: str, num_attempts: int) -> None:
        self._filesystem, root = open_place(storage)
        folders = [f"{root}/{attempt_name(sweep, n)}" for n in range(1, num_attempts + 1)]
        with store_errors(f"{shown(storage)} cannot be listed"):
            self._files = [path for folder in folders if (path := self._newest(folder))]

    def differences(self) -> list[Difference]:
        """Trials that Tune takes for running or waiting, though nothing drives them."""
        return [
            Difference(
                subject=f"trial {state['relative_logdir'].removeprefix(_PREFIX)}",
                book=f"Tune, {path.split('/')[-2]}",
                has=state["status"],
                should_have=Trial.TERMINATED,
            )
            for path in self._files
            for state, _ in self._read(path)["trial_data"]
            if state["status"] not in _ENDED
        ]

    def mend(self) -> None:
        """Have Tune hold for TERMINATED what it holds for running."""
        for path in self._files:
            content = self._read(path)
            if all(state["status"] in _ENDED for state, _ in content["trial_data"]):
                continue
            for state, _ in content["trial_data"]:
                if state["status"] not in _ENDED:
                    state["status"] = Trial.TERMINATED
            content["trial_data"] = [
                [json.dumps(state), json.dumps(metadata)]
                for state, metadata in content["trial_data"]
            ]
            with (
                store_errors(f"{path} cannot be written"),
                self._filesystem.open_output_stream(path) as stream,
            ):
                stream.write(json.dumps(content).encode())

    def _newest(self, folder: str) -> str | None:
        entries = self._filesystem.get_file_info(fs.FileSelector(folder, allow_not_found=True))
        paths = [e.path for e in entries if e.base_name.startswith("experiment_state-")]
        return max(paths, default=None)

    def _read(self, path: str) -> dict[str, Any]:
        """Of each trial, its state and its metadata, both parsed."""
        with (
            store_errors(f"{path} cannot be read"),
            self._filesystem.open_input_stream(path) as stream,
        ):
            text = stream.readall()
        try:
            content: dict[str, Any] = json.loads(text)
            content["trial_data"] = [
                (json.loads(state), json.loads(metadata))
                for state, metadata in content["trial_data"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}: not a state of Tune's ({error!r})", "remove the file; nothing needs it"
            ) from error
        return content
