"""Is a Ray cluster open to everybody? Whoever reaches an open one can run code on all its nodes."""

import ipaddress
import socket
import ssl
import urllib.error
import urllib.request
from enum import StrEnum
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

import grpc
import typer

from drmn.errors import ConfigError
from orchestration.settings import ALLOW_OPEN_RAY, asks_for_token, uses_tls

ALLOW_OPTION = "--allow-open-ray"
AllowOpenRay = Annotated[
    bool,
    typer.Option(
        ALLOW_OPTION,
        help=f"With {ALLOW_OPEN_RAY}=1: use a Ray that asks for no token.",
        rich_help_panel="Resources",
    ),
]
PROBE_S = 5.0
_GCS_READ = "/ray.rpc.InternalKVGcsService/InternalKVKeys"  # any read: all are guarded alike
_CLIENT_READ = "/ray.rpc.RayletDriver/KVExists"
_HTTP_READ = "/api/jobs/"
_CLIENT_PORT, _DASHBOARD_PORT, _GCS_PORT = 10001, 8265, 6379
_CLOSED = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
_NOT_ANSWERED = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNIMPLEMENTED,
)
"""Nobody, too slow, TLS, or not Ray's. All else comes from Ray's own code: the door was open."""


class Exposure(StrEnum):
    """What an address says to somebody without a token."""

    OPEN = "open"
    """It answers."""
    GUARDED = "guarded"
    """It asks for a token."""
    SILENT = "silent"
    """No answer of Ray's: no server, a slow or another one, or one that wants a certificate."""


def exposure(address: str, timeout_s: float = PROBE_S) -> Exposure:
    """Ask for something harmless, without a token.

    Args:
        address: HOST:PORT of the GCS, ray://HOST:PORT of the client server, or http(s)://HOST:PORT
            of the dashboard; ports may be left out where they are Ray's own.
        timeout_s: limit of the request, in seconds.

    Raises:
        ConfigError: the address is none of these.
    """
    parts = _parts(address)
    if parts.scheme in ("http", "https"):
        port = f":{parts.port or (443 if parts.scheme == 'https' else _DASHBOARD_PORT)}"
        return _ask_http(f"{parts.scheme}://{_host(parts)}{port}{_HTTP_READ}", timeout_s)
    if parts.scheme == "ray":
        return _ask_grpc(f"{_host(parts)}:{parts.port or _CLIENT_PORT}", _CLIENT_READ, timeout_s)
    return _ask_grpc(f"{_host(parts)}:{parts.port or _GCS_PORT}", _GCS_READ, timeout_s)


def is_loopback(address: str) -> bool:
    """Whether no other machine can be meant by ``address``; a name that is unknown can be one.

    Raises:
        ConfigError: as ``exposure``.
    """
    try:
        found = socket.getaddrinfo(_parts(address).hostname, None)
    except OSError:
        return False
    return all(ipaddress.ip_address(entry[4][0]).is_loopback for entry in found)


def refuse_open_ray(address: str, *, allowed: bool) -> None:
    """Raise where anybody in the network could run code on the cluster at ``address``.

    Args:
        address: as ``exposure``.
        allowed: whether that was accepted twice, by a variable and by an option.

    Raises:
        ConfigError: it is not on loopback and open, or it does not say and nothing here asks for
            more than an address.
    """
    if not allowed and not is_loopback(address):
        _refuse(address, exposure(address))


def refuse_open_cluster(address: str, gcs_address: str, *, allowed: bool) -> None:
    """As ``refuse_open_ray``, of the cluster that was joined: loopback is one door of many.

    Args:
        address: where it was joined; ``auto`` as well.
        gcs_address: what the cluster itself goes by.
        allowed: as ``refuse_open_ray``.

    Raises:
        ConfigError: as ``refuse_open_ray``.
    """
    if not allowed and not is_loopback(gcs_address):
        _refuse(gcs_address, joined_exposure(address, gcs_address))


def joined_exposure(address: str, gcs_address: str, timeout_s: float = PROBE_S) -> Exposure:
    """Of a cluster that was joined at ``address``; a client of ray:// may not reach the GCS."""
    return exposure(address if address.startswith("ray://") else gcs_address, timeout_s)


def _refuse(address: str, found: Exposure) -> None:
    if found is Exposure.GUARDED or (found is Exposure.SILENT and (asks_for_token() or uses_tls())):
        return
    said = "answers without a token: whoever reaches it can run code on all of its nodes, with"
    said = f"{said} their credentials"
    if found is Exposure.SILENT:
        said = "does not say whether it asks for a token: no answer, or none of Ray's"
    raise ConfigError(
        f"the Ray at {address!r} {said}",
        "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH on every node and here (docs/security.md);"
        f" or set {ALLOW_OPEN_RAY}=1 and give {ALLOW_OPTION}, where the network is closed",
    )


def _parts(address: str) -> SplitResult:
    parts = urlsplit(address if "://" in address else f"gcs://{address}")
    try:
        known = parts.scheme in ("gcs", "ray", "http", "https") and parts.port != 0
    except ValueError:  # no number
        known = False
    if not known or not parts.hostname:
        raise ConfigError(
            f"{address!r} is no address of a Ray, which is HOST:PORT, ray://HOST:PORT or "
            "http://HOST:PORT"
        )
    return parts


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    return f"[{host}]" if ":" in host else host


def _ask_grpc(target: str, method: str, timeout_s: float) -> Exposure:
    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary(method)(b"", timeout=timeout_s)
        except grpc.RpcError as error:
            if error.code() in _CLOSED:
                return Exposure.GUARDED
            return Exposure.SILENT if error.code() in _NOT_ANSWERED else Exposure.OPEN
    return Exposure.OPEN


def _ask_http(url: str, timeout_s: float) -> Exposure:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing secret is sent
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=timeout_s):
            return Exposure.OPEN
    except urllib.error.HTTPError as error:
        return Exposure.GUARDED if error.code in (401, 403) else Exposure.SILENT
    except OSError:
        return Exposure.SILENT
