"""Every command's exit codes."""

from orchestration.stopping.brake import EXIT_INTERRUPTED as EXIT_INTERRUPTED

EXIT_OK = 0
EXIT_FAILED = 1
"""It was started and failed, or what was looked at is not as it should be."""
EXIT_MISTAKE = 2
"""The request or the data cannot be used: nothing was started."""
EXIT_HUNG_UP = 129
"""SIGHUP: the terminal was closed."""
EXIT_TERMINATED = 143
"""SIGTERM; a shell's 128 and the signal's number, as EXIT_INTERRUPTED is for Ctrl-C."""

MEANINGS = {
    EXIT_OK: "done, nothing amiss",
    EXIT_FAILED: "it began and failed, or a check found something",
    EXIT_MISTAKE: "a mistake in the request or the data; nothing was begun",
    EXIT_HUNG_UP: "its terminal was closed (SIGHUP); go on with `drmn runs resume`",
    EXIT_INTERRUPTED: "interrupted (Ctrl-C); go on with `drmn runs resume`",
    EXIT_TERMINATED: "terminated (SIGTERM, `drmn runs stop`); the same",
}
