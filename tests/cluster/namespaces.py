"""Hosts of a network of their own on this machine: a namespace each, joined by one switch.

Processes of one host reach those of another through the switch alone, see no others in /proc, and
a host's link can be cut. All hosts share this machine's clock, memory and files.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_OWN_PROCESSES = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
_KILL_S = 20.0
_FIRST = 11
"""Last byte of the first host's address; the test process itself is .1."""


def why_no_namespaces() -> str:
    """Why this machine can make none; "" where it can."""
    if shutil.which("ip") is None:
        return "iproute2 is not installed"
    probe = f"drmn{os.getpid()}-probe"
    made = subprocess.run(
        ["ip", "netns", "add", probe], capture_output=True, text=True, check=False
    )
    if made.returncode:
        return f"`ip netns add` is refused: {made.stderr.strip()}"
    _ip("netns", "del", probe)
    return ""


@dataclass(frozen=True, kw_only=True)
class Host:
    """One namespace with the address ``address``; ``switch`` is where its cable ends."""

    name: str
    namespace: str
    address: str
    switch: str

    def start(
        self, command: Sequence[str], environ: Mapping[str, str], log: Path
    ) -> subprocess.Popen[bytes]:
        """A process on this host, in a session of its own; all that it starts ends with it."""
        with log.open("ab") as output:
            return subprocess.Popen(
                ["ip", "netns", "exec", self.namespace, *_OWN_PROCESSES, *command],
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """This thread, and the processes it starts, are on the host for the time of a ``with``."""
        with (
            Path("/proc/thread-self/ns/net").open() as home,
            Path(f"/run/netns/{self.namespace}").open() as there,
        ):
            _set_namespace(there.fileno())
            try:
                yield
            finally:
                _set_namespace(home.fileno())

    def pids(self) -> list[int]:
        """Of every process on the host."""
        return [int(pid) for pid in _ip("netns", "pids", self.namespace).split()]

    def kill(self) -> None:
        """kill -9 everything that runs on it, as a power cut does."""
        deadline = time.monotonic() + _KILL_S
        while pids := self.pids():
            assert time.monotonic() < deadline, f"{self.name}: {pids} do not end"
            _signal(pids, signal.SIGKILL)
            time.sleep(0.05)

    @contextlib.contextmanager
    def paused(self, title: bytes) -> Iterator[None]:
        """Its processes whose title begins so stand still for the time of a ``with``."""
        pids = [pid for pid in self.pids() if _title(pid).startswith(title)]
        assert pids, f"{self.name} has no process {title!r}"
        _signal(pids, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(pids, signal.SIGCONT)

    def cut(self) -> None:
        """Unplug it: nothing comes in or goes out, and nobody is told."""
        _ip("-n", self.switch, "link", "set", self.name, "down")

    def mend(self) -> None:
        """Plug it in again."""
        _ip("-n", self.switch, "link", "set", self.name, "up")


@dataclass(kw_only=True)
class Network:
    """A switch, to which this test's own process is joined too."""

    prefix: str = field(default_factory=lambda: f"drmn{os.getpid()}")
    subnet: str
    hosts: list[Host] = field(default_factory=list)

    @property
    def _switch(self) -> str:
        return f"{self.prefix}-switch"

    def make(self) -> None:
        """The switch, with a cable to this process's own namespace."""
        _ip("netns", "add", self._switch)
        _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._switch, "link", "set", "bridge", "up")
        self._plug("outside", None)
        _ip("address", "add", f"{self.subnet}.1/24", "dev", self.prefix)
        _ip("link", "set", self.prefix, "up")

    def add(self, name: str) -> Host:
        """Another host."""
        namespace, address = f"{self.prefix}-{name}", f"{self.subnet}.{_FIRST + len(self.hosts)}"
        _ip("netns", "add", namespace)
        host = Host(name=name, namespace=namespace, address=address, switch=self._switch)
        self.hosts.append(host)
        self._plug(name, namespace)
        _ip("-n", namespace, "link", "set", "lo", "up")
        _ip("-n", namespace, "address", "add", f"{address}/24", "dev", self.prefix)
        _ip("-n", namespace, "link", "set", self.prefix, "up")
        return host

    def remove(self) -> None:
        """Kill what runs on the hosts; remove hosts and switch."""
        for host in self.hosts:
            host.kill()
        gone = [
            ["netns", "del", name] for name in [*(h.namespace for h in self.hosts), self._switch]
        ]
        for arguments in [["link", "del", self.prefix], *gone]:
            subprocess.run(["ip", *arguments], capture_output=True, check=False)

    def _plug(self, name: str, namespace: str | None) -> None:
        """A cable from the switch's socket ``name`` to ``namespace``, or to our own."""
        far = ["netns", namespace] if namespace else ["netns", str(os.getpid())]
        cable = ["type", "veth", "peer", "name", self.prefix, *far]
        _ip("-n", self._switch, "link", "add", name, *cable)
        _ip("-n", self._switch, "link", "set", name, "master", "bridge", "up")


def free_subnet() -> str:
    """Of the range that is kept for tests of networks (RFC 2544), one that is not in use here."""
    used = _ip("route")
    return next(net for n in range(256) if (net := f"198.18.{n}") not in used)


def _signal(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _title(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""  # it ended meanwhile


def _set_namespace(file: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(file, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
    return done.stdout
