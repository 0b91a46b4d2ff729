"""Where a planted secret can be read: in files of any kind, archives opened, and in databases."""

import base64
import gzip
import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import sqlalchemy


def find_leaks(secrets: Sequence[str], root: Path) -> list[str]:
    """Files below ``root`` whose bytes hold a secret, as it is, quoted or in base64."""
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    return [
        f"{path.relative_to(root)}: {secret}"
        for path in files
        for content in _contents(path.read_bytes())
        for secret in secrets
        if any(form in content for form in _forms(secret))
    ]


def find_leaks_in_database(secrets: Sequence[str], url: str) -> list[str]:
    """Tables with a row that holds a secret."""
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.connect() as connection:
            rows = {
                table: str(connection.execute(sqlalchemy.text(f'SELECT * FROM "{table}"')).all())
                for table in sqlalchemy.inspect(engine).get_table_names()
            }
    finally:
        engine.dispose()
    assert rows
    return [table for table, text in rows.items() if any(secret in text for secret in secrets)]


def _forms(secret: str) -> set[bytes]:
    raw = secret.encode()
    shifted = {base64.b64encode(b"x" * n + raw)[4:-4] for n in range(3)}
    return {raw, quote(secret).encode(), raw.hex().encode(), *shifted}


def _contents(data: bytes) -> Iterator[bytes]:
    yield data
    if data.startswith(b"\x1f\x8b"):
        yield gzip.decompress(data)
    if data.startswith(b"PK\x03\x04") and zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield archive.read(name)
