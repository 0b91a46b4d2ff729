"""The Ray cluster that commands would join: reachable, closed to others, all of one kind."""

import json
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from drmn.errors import ConfigError
from orchestration.doctor.finding import Finding, bad, good, warning
from orchestration.doctor.several_nodes import judge_checkpoints
from orchestration.doctor.versions import differing
from orchestration.exposure import Exposure, exposure, is_loopback, joined_exposure
from orchestration.settings import OWN_RAY, RAY_ADDRESS, RAY_AUTH_MODE, Settings, asks_for_token

CONNECT_S = 3.0
PROBE_S = 45.0
SKEW_S = 1.0
"""Between two clocks: logs and leases of the cluster assume less."""
_TOKEN = f"set {RAY_AUTH_MODE}=token and RAY_AUTH_TOKEN_PATH on every node and here"
_MISMATCH = "Version mismatch:"
"""How Ray begins the lines that name both sides' versions."""
_PORTS = {"ray": 10001, "gcs": 6379}


@dataclass(frozen=True, kw_only=True)
class Node:
    """One alive node: versions by package, and its clock against this machine's in seconds."""

    name: str
    versions: dict[str, str]
    skew_s: float
    uncertainty_s: float
    """Half of what asking it took."""


@dataclass(frozen=True, kw_only=True)
class Joined:
    """What a process saw that joined."""

    gcs_address: str
    """The cluster's own, whatever it was joined by."""
    nodes: list[Node]


def check_ray(settings: Settings) -> list[Finding]:
    """One line each: reach, token, nodes, versions, clocks, checkpoints that nodes cannot see."""
    address = settings.ray_address
    if not address or address in OWN_RAY:
        return [good(f"{RAY_ADDRESS} is not set: each command starts a local Ray")]
    if address == "auto":
        return _look_inside(address, settings, [])
    try:
        is_loopback(address)  # refuses what is no address
        if (reached := reach(address)).remedy:
            return [reached]
        openness = judge_exposure(address, exposure(address, CONNECT_S))
    except ConfigError as error:
        return [bad(error.message, f"correct {RAY_ADDRESS}")]
    return _look_inside(address, settings, [openness])


def _look_inside(address: str, settings: Settings, outside: list[Finding]) -> list[Finding]:
    """``outside`` gives way to the cluster's own address, where another one was given."""
    joined = join(address)
    if isinstance(joined, Finding):
        return [*outside, joined]
    nodes, own = judge_nodes(joined.nodes), joined.gcs_address
    if outside and not is_loopback(address):
        return [*outside, *nodes]
    openness = judge_exposure(own, joined_exposure(address, own, CONNECT_S))
    return [openness, *nodes, *judge_sharing(joined.nodes, settings)]


def judge_sharing(nodes: Sequence[Node], settings: Settings) -> list[Finding]:
    """Nothing for one host, whatever it is called; else whether all see the checkpoints."""
    if len({node.name for node in nodes}) == 1:
        return []
    found = judge_checkpoints(settings.sweep_storage, remote=True)
    return [found] if found.remedy else []


def reach(address: str, timeout_s: float = CONNECT_S) -> Finding:
    """Whether anything listens there."""
    parts = urlsplit(address if "://" in address else f"gcs://{address}")
    port = parts.port or _PORTS.get(parts.scheme, 8265)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=timeout_s).close()
    except OSError as error:
        return bad(
            f"nothing answers at {address} ({error})",
            f"start it (`ray start --head`), open the port, or unset {RAY_ADDRESS}",
        )
    return good(f"{address} answers")


def judge_exposure(address: str, found: Exposure) -> Finding:
    """What ``address`` says to a stranger, and whether we are one."""
    if found is Exposure.OPEN and not is_loopback(address):
        return bad(
            f"the Ray at {address} answers without a token: whoever reaches it runs code there",
            _TOKEN,
        )
    if found is Exposure.OPEN:
        return warning(f"the Ray at {address} asks for no token, on loopback", _TOKEN)
    if found is Exposure.GUARDED and not asks_for_token():
        return bad(f"the Ray at {address} asks for a token, and none is sent from here", _TOKEN)
    if found is Exposure.SILENT:
        return warning(
            f"the Ray at {address} does not answer strangers: whether it asks for a token is not "
            "known",
            f"with TLS that is as it should be; else see that this is Ray's port, and {_TOKEN}",
        )
    return good(f"the Ray at {address} asks for a token")


def join(address: str) -> Joined | Finding:
    """From a process of its own, which can be given up: joining may hang."""
    command = [sys.executable, "-m", "orchestration.doctor.ray_probe", address]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_S, check=False)
    except subprocess.TimeoutExpired:
        return bad(
            f"joining {address} took more than {PROBE_S:g} s", "see its head's logs, gcs.out"
        )
    if done.returncode:
        return judge_failure(address, done.stderr)
    said = json.loads(done.stdout.splitlines()[-1])
    nodes = [Node(**each) for each in said["nodes"]]
    return Joined(gcs_address=said["gcs_address"], nodes=nodes)


def judge_failure(address: str, said: str) -> Finding:
    """In one line, why a process could not join that ended with ``said``."""
    _, mismatch, versions = said.rpartition(_MISMATCH)
    if mismatch:
        reason = " ".join([mismatch, *versions.split()])
        remedy = "install one version of Ray and one of Python on all nodes and here"
        return bad(f"{address} cannot be joined: {reason}", remedy)
    last = (said.strip().splitlines() or ["no reason given"])[-1]
    return bad(f"{address} cannot be joined: {last}", f"check the token and {RAY_ADDRESS}")


def judge_nodes(nodes: Sequence[Node]) -> list[Finding]:
    """Are they of one kind, and do their clocks agree with this machine's?"""
    count = "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"
    found = [good(f"{count}: {', '.join(node.name for node in nodes)}")]
    for package, by_node in differing({n.name: n.versions for n in nodes}).items():
        shown = ", ".join(f"{node} {version}" for node, version in by_node.items())
        found.append(bad(f"{package} differs between nodes: {shown}", "install one version on all"))
    found += [
        bad(
            f"the clock of {node.name} is {node.skew_s:+.1f} s off",
            "synchronise it (chrony, systemd-timesyncd)",
        )
        for node in nodes
        if abs(node.skew_s) - node.uncertainty_s > SKEW_S
    ]
    if len(found) == 1:
        found.append(good(f"one set of versions; clocks agree within {SKEW_S:g} s"))
    return found
