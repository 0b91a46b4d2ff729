"""Where files can lie, by one address: a folder of this machine, or a prefix of an object store.

An object store's address reads ``s3://bucket/prefix``; options follow a ``?`` as pyarrow knows
them (``endpoint_override``, ``scheme``, ``region``, ``tls_ca_file_path``). Credentials come from
the environment, a profile or the machine's role and are never part of an address: addresses are
pickled, logged and written into requests.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pyarrow import fs

from drmn.errors import StoreAwayError, StoreError

ATTEMPTS = 8
"""How often a request is made that the store throttles or whose connection is cut; with the
standard back-off (up to 20 s between two) that outlasts about half a minute of refusals."""


class RetryingS3(fs.S3FileSystem):  # type: ignore[misc, unused-ignore]
    """pyarrow's file system with ``attempts`` per request, kept when it is pickled.

    pyarrow forgets the retry strategy on the way to another process. Nothing that is pickled here
    holds a credential: each process finds its own.
    """

    def __init__(self, attempts: int, options: dict[str, Any]) -> None:
        strategy = fs.AwsStandardS3RetryStrategy(max_attempts=attempts)
        super().__init__(**options, retry_strategy=strategy)
        self._made_of = attempts, options

    def __reduce__(self) -> tuple[Callable[..., "RetryingS3"], tuple[int, dict[str, Any]]]:
        return RetryingS3, self._made_of


def open_place(place: str, attempts: int = ATTEMPTS) -> tuple[fs.FileSystem, str]:
    """The file system that ``place`` is on, and the path there, without a slash at its end.

    Raises:
        StoreError: ``place`` is none, or holds credentials.
    """
    if "://" not in place:
        return fs.LocalFileSystem(), place.rstrip("/")
    if has_credentials(place):
        raise StoreError(
            f"the address {shown(place)} was given with credentials, which would be written down "
            "wherever the address is",
            "give them as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile in "
            "AWS_PROFILE",
        )
    try:
        system, path = fs.FileSystem.from_uri(place)
        if not path.strip("/") and not isinstance(system, fs.LocalFileSystem):
            raise ValueError("it names no bucket")
    except (ValueError, OSError) as error:  # pa.ArrowInvalid among them
        raise StoreError(
            f"{shown(place)!r} is no place that files can be kept in: "
            + str(error).replace(place, shown(place)),
            "give a folder or s3://bucket/prefix",
        ) from error
    if isinstance(system, fs.S3FileSystem):
        _, (options,) = system.__reduce__()
        system = RetryingS3(attempts, options)
    return system, path.rstrip("/")


def below(place: str, relative: str) -> str:
    """The address of ``relative`` below ``place``: options stay at the end."""
    folder, mark, options = place.partition("?")
    return f"{folder.rstrip('/')}/{relative.strip('/')}{mark}{options}"


def shown(place: str) -> str:
    """The address without options and credentials, for messages."""
    scheme, separator, rest = place.partition("?")[0].rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2] if separator else rest}"


def without_password(text: str) -> str:
    """``text`` with the password of every URI in it hidden."""
    return re.sub(r"(://[^\s/:@]*):[^\s/@]+@", r"\1:***@", text)


def has_credentials(place: str) -> bool:
    """Whether a URI names a user or a password."""
    if "://" not in place:
        return False
    try:
        return "@" in urlsplit(place).netloc
    except ValueError:  # an address that is none may hold some all the same
        return "@" in place


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What a store does to a request, and how to mend it."""

    what: str
    signs: str
    """Regular expression over what the clients report."""
    remedy: str
    error: type[StoreError] = StoreError


_TROUBLES = (
    Trouble(
        what="the store has no bucket of this name",
        signs=r"NO_SUCH_BUCKET|NoSuchBucket|Bucket '[^']*' not found",
        remedy="create the bucket, or correct its name",
    ),
    Trouble(
        what="the store is full, and what needs it waits",
        signs=r"No space left|Disk quota exceeded",  # of a folder: a trial is not to blame
        remedy="make room on its disk; what was stored before is untouched",
        error=StoreAwayError,
    ),
    Trouble(
        what="the store is full",
        signs=r"\b507\b|InsufficientStorage|QuotaExceeded|StorageFull",
        remedy="make room or raise the quota; what was stored before is untouched",
    ),
    Trouble(
        what="no credentials were found",
        signs=r"Unable to locate credentials|NoCredentials|CREDENTIALS",
        remedy="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    ),
    Trouble(
        what="access is denied",
        signs=r"ACCESS_DENIED|AccessDenied|SIGNATURE|Signature|InvalidAccessKeyId|Forbidden|\b403\b"
        r"|Permission denied",
        remedy="check the credentials; they need GetObject, PutObject, DeleteObject and ListBucket",
    ),
    Trouble(
        what="the store throttles, and went on while the request was repeated",
        signs=r"SLOW_DOWN|SlowDown|SERVICE_UNAVAILABLE|Throttl|\b503\b",
        remedy="raise AWS_MAX_ATTEMPTS, or run fewer trials at once (--max-concurrent)",
        error=StoreAwayError,
    ),
    Trouble(
        what="the connection was cut or refused, each time the request was repeated",
        signs=r"NETWORK_CONNECTION|curlCode|Connection|connect|IncompleteRead|timed? ?out"
        r"|Max Retries",
        remedy="check the endpoint's address (AWS_ENDPOINT_URL_S3) and that it answers",
        error=StoreAwayError,
    ),
    Trouble(
        what="the store does not do what was asked for",
        signs=r"NotImplemented|NOT_IMPLEMENTED",
        remedy="leave the option out, such as server-side encryption",
    ),
)


def store_error(what_failed: str, error: Exception) -> StoreError:
    """``error`` of an S3 client as the project's own: what failed, why, and how to mend it."""
    text = " ".join(str(error).split())
    for trouble in _TROUBLES:
        if re.search(trouble.signs, text):
            return trouble.error(f"{what_failed}: {trouble.what} ({text})", trouble.remedy)
    return StoreError(
        f"{what_failed}: {text}", "check the place's name, credentials and free space"
    )


@contextmanager
def store_errors(what_failed: str) -> Iterator[None]:
    """Turn pyarrow's errors into :func:`store_error`'s.

    Raises:
        StoreError: what is done inside failed.
    """
    try:
        yield
    except OSError as error:
        raise store_error(what_failed, error) from error
