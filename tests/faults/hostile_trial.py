"""One reader, one hostile file: what is allowed to happen."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hostile_bytes import traps
from hostile_readers import Reader
from method_readers import METHOD
from study_readers import STUDIES
from sweep_readers import SWEEPS

from drmn.errors import DrmnError

READERS = (*METHOD, *SWEEPS, *STUDIES)
_SEAL = b"\ndrmn-sha256:"


class Arena:
    """A folder for one reader, in a folder that nothing may be written to.

    Attributes:
        valid: the bytes of a valid file.
        canary: a file that only code out of a file would make.
    """

    def __init__(self, reader: Reader, root: Path) -> None:
        self._reader, self._root = reader, root
        inside = root / "outer" / "inside"
        inside.mkdir(parents=True)
        self.canary = root / "canary"
        self.path = reader.make(inside)
        self.valid = self.path.read_bytes()
        self._seal = len(_SEAL) + 64 if reader.sealed else 0
        reader.read(self.path)
        self.path.write_bytes(self.valid)
        self._outside = self._files()

    @property
    def body(self) -> bytes:
        """What may be damaged: all, or what its seal is about."""
        return self.valid[: len(self.valid) - self._seal]

    def tried(self, body: bytes) -> str:
        """``read`` or ``refused``: anything else is an AssertionError, or escapes."""
        seal = _SEAL + hashlib.sha256(body).hexdigest().encode() if self._seal else b""
        self.path.write_bytes(body + seal)
        try:
            self._reader.read(self.path)
            outcome = "read"
        except DrmnError as error:
            outcome = "refused"
            assert self._is_named(error), f"{self._reader.name}: {error.message}"
            assert "\n" not in error.message.strip(), error.message
        assert not self.canary.exists(), "code out of a file was run"
        assert self._files() == self._outside, "something was written outside of the folder"
        return outcome

    def _is_named(self, error: DrmnError) -> bool:
        folders = {self.path.parent.name, self.path.parents[1].name} - {""}
        return any(name in error.message for name in (self.path.name, *folders))

    def _files(self) -> set[Path]:
        inside = self._root / "outer" / "inside"
        return {path for path in self._root.rglob("*") if inside not in path.parents}


@contextmanager
def arena(reader: Reader) -> Iterator[Arena]:
    """One that is gone after the ``with``."""
    with tempfile.TemporaryDirectory(prefix="drmn-hostile-") as root:
        yield Arena(reader, Path(root))


def trapped(place: Arena) -> dict[str, str]:
    """What became of each well-known trap."""
    return {name: place.tried(data) for name, data in traps(place.canary)}
