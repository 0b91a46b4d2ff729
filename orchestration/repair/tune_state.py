"""Tune's own record of a sweep's attempts: after a driver's death it says RUNNING for ever."""

import json
from pathlib import Path
from typing import Any

from pyarrow import fs
from ray.tune.experiment import Trial

from drmn.atomic import replacing
from drmn.places import open_place, shown, store_errors
from drmn.reading import FAULTS
from orchestration.checkpoints import TRIAL_FOLDER, attempt_name
from orchestration.repair.truth import Difference

_ENDED = (Trial.TERMINATED, Trial.ERROR)
_PREFIX = TRIAL_FOLDER.format(trial="")


class TuneStates:
    """The newest state file of every attempt's experiment.

    Tune writes it in place: where its driver died meanwhile it cannot be read. Nothing needs it,
    so it is removed then.

    Raises:
        DataError: the storage cannot be read.
    """

    def __init__(self, storage: str, sweep: str, num_attempts: int) -> None:
        self._filesystem, root = open_place(storage)
        folders = [f"{root}/{attempt_name(sweep, n)}" for n in range(1, num_attempts + 1)]
        with store_errors(f"{shown(storage)} cannot be listed"):
            self._files = [path for folder in folders if (path := self._newest(folder))]

    def differences(self) -> list[Difference]:
        """Trials that Tune takes for running or waiting, though nothing drives them."""
        return [found for path in self._files for found in self._differences(path)]

    def _differences(self, path: str) -> list[Difference]:
        book, content = f"Tune, {path.split('/')[-2]}", self._read(path)
        if content is None:
            return [Difference(subject="all", book=book, has="damaged", should_have="removed")]
        return [
            Difference(
                subject=f"trial {state['relative_logdir'].removeprefix(_PREFIX)}",
                book=book,
                has=state["status"],
                should_have=Trial.TERMINATED,
            )
            for state, _ in content["trial_data"]
            if state["status"] not in _ENDED
        ]

    def mend(self) -> None:
        """Have Tune hold for TERMINATED what it holds for running."""
        for path in list(self._files):
            content = self._read(path)
            if content is None:
                self._remove(path)
                continue
            if all(state["status"] in _ENDED for state, _ in content["trial_data"]):
                continue
            for state, _ in content["trial_data"]:
                if state["status"] not in _ENDED:
                    state["status"] = Trial.TERMINATED
            content["trial_data"] = [
                [json.dumps(state), json.dumps(metadata)]
                for state, metadata in content["trial_data"]
            ]
            with store_errors(f"{path} cannot be written"):
                self._write(path, json.dumps(content).encode())

    def _write(self, path: str, data: bytes) -> None:
        """Whole or not at all; a store's objects are that of themselves."""
        if isinstance(self._filesystem, fs.LocalFileSystem):
            with replacing(Path(path)) as temporary:
                temporary.write_bytes(data)
            return
        with self._filesystem.open_output_stream(path) as stream:
            stream.write(data)

    def _remove(self, path: str) -> None:
        with store_errors(f"{path} cannot be removed"):
            self._filesystem.delete_file(path)
        self._files.remove(path)

    def _newest(self, folder: str) -> str | None:
        entries = self._filesystem.get_file_info(fs.FileSelector(folder, allow_not_found=True))
        paths = [e.path for e in entries if e.base_name.startswith("experiment_state-")]
        return max(paths, default=None)

    def _read(self, path: str) -> dict[str, Any] | None:
        """Of each trial, its state and its metadata, both parsed; None where that cannot be."""
        with (
            store_errors(f"{path} cannot be read"),
            self._filesystem.open_input_stream(path) as stream,
        ):
            text = stream.readall()
        try:
            content: dict[str, Any] = json.loads(text)
            content["trial_data"] = [
                (_state(json.loads(state)), json.loads(metadata))
                for state, metadata in content["trial_data"]
            ]
        except FAULTS:
            return None
        return content


def _state(found: dict[str, Any]) -> dict[str, Any]:
    """With the two entries that are used here."""
    return {**found, "status": found["status"], "relative_logdir": str(found["relative_logdir"])}
