"""Files in an S3-compatible store under the name of their content: the only boto3 import.

Credentials come from the AWS chain alone (environment, profile, the machine's role), the endpoint
and certificates from AWS_ENDPOINT_URL_S3 and AWS_CA_BUNDLE. An object's name holds its SHA-256, so
that a repeated upload sends nothing, and what is read is compared with it; a small object that is
replaced has it as its first line. No store's metadata is relied upon: not every store returns it.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import S3TransferRetriesExceededError, TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from drmn.atomic import replacing
from drmn.errors import ConfigError, StoreError
from drmn.places import ATTEMPTS, has_credentials, shown, store_error

ENCRYPTIONS = ("AES256", "aws:kms")
_PART_BYTES = 16 << 20
_ABSENT = ("404", "NoSuchKey")


@dataclass(frozen=True, kw_only=True)
class Encryption:
    """Of objects at rest, by the store: ``AES256``, or ``aws:kms`` with a key's id or ""."""

    kind: str
    key_id: str = ""

    def __post_init__(self) -> None:
        if self.kind not in ENCRYPTIONS or (self.key_id and self.kind != "aws:kms"):
            raise ConfigError(
                f"the encryption is {self.kind!r}{' with a key' if self.key_id else ''}, but must "
                f"be one of {', '.join(ENCRYPTIONS)}, and a key goes with aws:kms only"
            )

    @property
    def arguments(self) -> dict[str, str]:
        """Of an upload."""
        key = {"SSEKMSKeyId": self.key_id} if self.key_id else {}
        return {"ServerSideEncryption": self.kind, **key}


class ArtifactStore:
    """A prefix of a bucket.

    Args:
        place: ``s3://bucket/prefix``, with ``?endpoint_override=HOST:PORT&scheme=http`` at will.
        attempts: how often a request is made that the store throttles or whose connection is cut.
        encryption: of what is written; None: the bucket's own rule.
        timeout_s: to connect and to wait for an answer, in seconds; None: boto3's own.

    Raises:
        ConfigError: ``place`` is no such address, or holds credentials.
    """

    def __init__(
        self,
        place: str,
        *,
        attempts: int = ATTEMPTS,
        encryption: Encryption | None = None,
        timeout_s: float | None = None,
    ) -> None:
        parts = urlsplit(place)
        if parts.scheme != "s3" or not parts.netloc or has_credentials(place):
            raise ConfigError(
                f"artifacts were to go to {shown(place)!r}, but the place must be "
                "s3://bucket/prefix, without credentials",
                "give credentials as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
            )
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/")
        self._options = encryption.arguments if encryption else {}
        self._client = _client(parts.query, attempts, timeout_s)

    def put(self, path: Path) -> str:
        """Upload a file unless the store has it; its SHA-256, by which it is fetched.

        The object appears when all of its parts have arrived, or not at all.

        Raises:
            StoreError: the store refuses or cannot be reached.
        """
        digest = _sha256(path)
        name = _object_name(digest)
        if self._size(name) != path.stat().st_size:
            with self._errors("written", name):
                self._send(path, self._key(name))
        return digest

    def _send(self, path: Path, key: str) -> None:
        """In one request if it is small; starting threads for one part costs more than it."""
        if path.stat().st_size < _PART_BYTES:
            with path.open("rb") as file:
                self._client.put_object(Bucket=self._bucket, Key=key, Body=file, **self._options)
        else:
            self._client.upload_file(
                str(path), self._bucket, key, ExtraArgs=self._options, Config=_TRANSFER
            )

    def get(self, digest: str, target: Path) -> None:
        """Fetch what :meth:`put` has stored; ``target`` appears once it is whole and compared.

        Raises:
            StoreError: it is absent, cannot be read, or came with other bytes.
        """
        name = _object_name(digest)
        with replacing(target) as temporary:
            # download_file would write beside it, under a name that nobody removes after a kill.
            with self._errors("read", name), temporary.open("wb") as file:
                self._client.download_fileobj(self._bucket, self._key(name), file, Config=_TRANSFER)
            self._compare(name, _sha256(temporary), digest)

    def write(self, name: str, data: bytes) -> None:
        """Replace the small object ``name``; readers see the old one or all of the new one.

        Raises:
            StoreError: the store refuses or cannot be reached.
        """
        body = hashlib.sha256(data).hexdigest().encode() + b"\n" + data
        with self._errors("written", name):
            self._client.put_object(
                Bucket=self._bucket, Key=self._key(name), Body=body, **self._options
            )

    def read(self, name: str) -> bytes | None:
        """An object that :meth:`write` has stored; None if there is none.

        Raises:
            StoreError: it cannot be read, or came with other bytes than were written.
        """
        try:
            with self._errors("read", name):
                reply = self._client.get_object(Bucket=self._bucket, Key=self._key(name))
                digest, _, data = bytes(reply["Body"].read()).partition(b"\n")
        except _AbsentError:
            return None
        self._compare(name, hashlib.sha256(data).hexdigest(), digest.decode(errors="replace"))
        return data

    def delete(self, name: str) -> None:
        """Remove an object that :meth:`write` has stored.

        Raises:
            StoreError: the store refuses or cannot be reached.
        """
        with self._errors("deleted", name):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(name))

    def _size(self, name: str) -> int | None:
        """Of an object, in bytes; None if there is none."""
        try:
            with self._errors("looked up", name):
                found = self._client.head_object(Bucket=self._bucket, Key=self._key(name))
        except _AbsentError:
            return None
        return int(found["ContentLength"])

    def _compare(self, name: str, digest: str, expected: str) -> None:
        if digest != expected:
            raise StoreError(
                f"{self._shown(name)} came with the SHA-256 {digest}, but was written with "
                f"{expected or 'none'}",
                "fetch it again; if it stays so, remove the object and store it anew",
            )

    @contextmanager
    def _errors(self, verb: str, name: str) -> Iterator[None]:
        what = f"{self._shown(name)} cannot be {verb}"
        try:
            yield
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                raise _AbsentError(f"{what}: the store does not have it") from error
            raise store_error(what, error) from error
        except (BotoCoreError, Boto3Error, S3TransferRetriesExceededError) as error:
            raise store_error(what, error) from error

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    def _shown(self, name: str) -> str:
        return f"s3://{self._bucket}/{self._key(name)}"


class _AbsentError(StoreError):
    """There is no such object."""


_TRANSFER = TransferConfig(multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES)


def _client(query: str, attempts: int, timeout_s: float | None) -> Any:
    options = {key: values[-1] for key, values in parse_qs(query).items()}
    address, scheme = options.get("endpoint_override"), options.get("scheme", "https")
    if address and "://" not in address:
        address = f"{scheme}://{address}"
    known = {
        "endpoint_url": address,
        "region_name": options.get("region"),
        "verify": options.get("tls_ca_file_path"),
    }
    retries = {"mode": "standard", "total_max_attempts": attempts}
    # What is sent is signed with its hash, or goes over TLS: a third sum is only asked of us.
    config = Config(retries=retries, request_checksum_calculation="when_required")
    if timeout_s is not None:
        config = config.merge(Config(connect_timeout=timeout_s, read_timeout=timeout_s))
    session = boto3.Session()  # the default one keeps the first credentials that it found
    client = session.client("s3", **known, config=config)
    if ".amazonaws.com" in client.meta.endpoint_url:
        return client
    path_style = config.merge(Config(s3={"addressing_style": "path"}))
    return session.client("s3", **known, config=path_style)


def credentials_source() -> str:
    """Which link of the AWS chain gives credentials, such as ``env``; "" where none does."""
    found = boto3.Session().get_credentials()
    return str(found.method) if found else ""


def _object_name(digest: str) -> str:
    return f"objects/{digest[:2]}/{digest}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
