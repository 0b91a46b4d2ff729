"""A finished sweep's files in an object store, for whoever cannot see the driver's disk.

Files lie under their content's name, so that sweeps share what is equal and a repetition sends
nothing; an index by the sweep's name is written last.
"""

import json
import os
from pathlib import Path, PurePosixPath

from rich.console import Console

from drmn.atomic import is_temporary
from drmn.errors import ConfigError, DataError, StoreError
from drmn.reading import reading, sha256
from orchestration.artifacts import ArtifactStore, Encryption
from orchestration.checkpoints import check_writable
from orchestration.settings import RESULT_STORE, Settings

_PUBLISHED = ("final/**/*", "*.json", "ledger.jsonl")


def result_store(settings: Settings) -> ArtifactStore:
    """Where finished sweeps go.

    Raises:
        ConfigError: nothing was named, or no s3:// address.
    """
    if settings.result_store is None:
        raise ConfigError(
            f"{RESULT_STORE} is not set", f"set it, as in {RESULT_STORE}=s3://bucket/results"
        )
    kind, _, key_id = settings.store_encryption.partition("/")
    return ArtifactStore(
        settings.result_store,
        attempts=settings.store_attempts,
        encryption=Encryption(kind=kind, key_id=key_id) if kind else None,
    )


def check_places(settings: Settings) -> None:
    """Refuse a storage that cannot be written and a wrong address, before anything starts.

    Raises:
        StoreError: checkpoints cannot be kept in ``settings.sweep_storage``.
        ConfigError: ``settings.result_store`` is no s3:// address.
    """
    check_writable(settings.sweep_storage, settings.store_attempts)
    if settings.result_store is not None:
        result_store(settings)


def publish_if_wanted(folder: Path, settings: Settings, console: Console) -> None:
    """Publish the finished sweep in ``folder``; it is finished whatever the store says."""
    if settings.result_store is None:
        return
    try:
        num_files = publish_sweep(folder, folder.name, result_store(settings))
        console.print(f"{num_files} files are published", highlight=False)
    except StoreError as error:
        console.print(f"not published: {error}", highlight=False, markup=False)
        console.print(f"publish it with `drmn runs publish {folder.name}`", highlight=False)


def publish_sweep(folder: Path, name: str, store: ArtifactStore) -> int:
    """Store what ``folder`` holds of a sweep; how many files.

    Raises:
        StoreError: the store refuses or cannot be reached; what it had before is untouched.
    """
    found = {path for pattern in _PUBLISHED for path in folder.glob(pattern) if path.is_file()}
    paths = sorted(path for path in found if not is_temporary(path))
    index = {path.relative_to(folder).as_posix(): store.put(path) for path in paths}
    store.write(_index_name(name), json.dumps(index, indent=1).encode())
    return len(index)


def fetch_sweep(name: str, folder: Path, store: ArtifactStore) -> int:
    """Inverse of :func:`publish_sweep`, each file compared with its SHA-256; how many files.

    Raises:
        ConfigError: no such sweep was published.
        StoreError: a file is absent, cannot be read or has other bytes.
        DataError: the index is damaged, or names files outside the folder.
    """
    data = store.read(_index_name(name))
    if data is None:
        raise ConfigError(
            f"the store has no sweep {name!r}", "sweeps are published when they end; see its name"
        )
    index = _index(name, data)
    for relative, digest in index.items():
        store.get(digest, folder / relative)
    return len(index)


def _index(name: str, data: bytes) -> dict[str, str]:
    """SHA-256 of each file by its path in the sweep's folder."""
    with reading(f"the index of {name!r}", "an index of files", "publish the sweep again"):
        index = {str(path): sha256(digest) for path, digest in json.loads(data).items()}
        os.fsencode("".join(index))  # names that no file can have
    for relative in index:
        path = PurePosixPath(relative)
        if not path.parts or path.is_absolute() or {"..", "\0"} & {*path.parts, *relative}:
            raise DataError(f"the index of {name!r} names {relative!r}, which leaves its folder")
    return index


def _index_name(name: str) -> str:
    return f"sweeps/{name}/index"
