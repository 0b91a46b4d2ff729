"""A folder of files that appear whole: on this machine, or an object store by its URI.

Only names inside the folder can be addressed. Objects of a store appear when their upload ends.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pyarrow import fs

from drmn.atomic import replacing
from drmn.errors import DataError, StoreError
from drmn.places import ATTEMPTS, open_place, shown, store_error


@dataclass(frozen=True)
class Storage:
    """``uri`` is a path, or reads ``s3://bucket/prefix?endpoint_override=...``; it may be pickled.

    A request that is throttled or cut is made ``attempts`` times. Every method raises StoreError
    (a DataError) where the place cannot be read or written.
    """

    uri: str
    attempts: int = ATTEMPTS

    @property
    def shown(self) -> str:
        """The place without options and credentials, for messages."""
        return shown(self.uri)

    @property
    def local(self) -> Path | None:
        """The folder, where it is one of this machine's."""
        return None if "://" in self.uri else Path(self.uri)

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None if there is no such file."""
        try:
            if self.local is not None:
                path = self.local / _checked(name)
                return path.read_bytes() if path.is_file() else None
            system, path_text = self._remote(name)
            if system.get_file_info(path_text).type != fs.FileType.File:
                return None
            with system.open_input_stream(path_text) as stream:
                return bytes(stream.read())
        except OSError as error:
            raise self._failed("read", name, error) from error

    def size(self, name: str) -> int | None:
        """A file's size in bytes; None if there is no such file."""
        try:
            if self.local is not None:
                path = self.local / _checked(name)
                return path.stat().st_size if path.is_file() else None
            system, path_text = self._remote(name)
            found = system.get_file_info(path_text)
            return int(found.size) if found.type == fs.FileType.File else None
        except OSError as error:
            raise self._failed("read", name, error) from error

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Replace a file; readers see the old one or all of the new one."""
        try:
            if self.local is not None:
                with replacing(self.local / _checked(name)) as temporary:
                    temporary.write_bytes(data)
                return
            system, path = self._remote(name)
            system.create_dir(str(PurePosixPath(path).parent), recursive=True)
            with system.open_output_stream(path) as stream:
                stream.write(data)
        except OSError as error:
            raise self._failed("written", name, error) from error

    def remove(self, name: str) -> None:
        """Remove a file that is there."""
        try:
            if self.local is not None:
                (self.local / _checked(name)).unlink()
                return
            system, path = self._remote(name)
            system.delete_file(path)
        except OSError as error:
            raise self._failed("removed", name, error) from error

    def fetch(self, name: str, target: Path) -> None:
        """Copy a file to ``target``, which appears when it is complete."""
        try:
            with replacing(target) as temporary, temporary.open("wb") as file:
                system, path = self._remote(name)
                with system.open_input_stream(path) as stream:
                    shutil.copyfileobj(stream, file, 1 << 20)
        except OSError as error:
            raise self._failed("fetched", name, error) from error

    def _remote(self, name: str) -> tuple[fs.FileSystem, str]:
        system, folder = open_place(self.uri, self.attempts)
        return system, f"{folder}/{_checked(name)}"

    def _failed(self, verb: str, name: str, error: OSError) -> StoreError:
        return store_error(f"{name} cannot be {verb} in {self.shown}", error)


def _checked(name: str) -> str:
    parts = PurePosixPath(name).parts
    if not parts or PurePosixPath(name).is_absolute() or ".." in parts or "\0" in name:
        raise DataError(f"the file name {name!r} leaves its folder")
    return name
