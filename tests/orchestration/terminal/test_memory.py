"""Memory that was refused is told with what to do; other errors are left alone."""

import errno
import resource

import pytest
import typer
from typer.testing import CliRunner

from orchestration.terminal.commands import add_command
from orchestration.terminal.memory import memory_trouble, warning_of_limit

REFUSED = [
    MemoryError(),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
]


@pytest.mark.parametrize("error", REFUSED)
def test_a_command_says_that_memory_is_missing(error: Exception) -> None:
    def work() -> None:
        raise error

    app = typer.Typer()
    add_command(app, "work", work)
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 1
    assert "not enough memory" in done.output
    assert "ulimit -v" in done.output


@pytest.mark.parametrize(
    "error", [ImportError("no module named x"), RuntimeError("shapes differ"), OSError("what")]
)
def test_other_errors_are_not(error: Exception) -> None:
    assert memory_trouble(error) is None


@pytest.mark.parametrize(
    ("limit", "is_told"), [(2_000_000_000, True), (resource.RLIM_INFINITY, False)]
)
def test_a_limit_that_is_too_low_is_told_before_anything_aborts(
    limit: int, is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert bool(warning_of_limit()) == is_told
