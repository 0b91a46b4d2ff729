"""``infra/local/up``, ``down``, ``status`` and ``logs``."""

import argparse
import os
import shlex
import sys
from pathlib import Path

from drmn_local.processes import StackError
from drmn_local.stack import Stack


def main() -> int:
    """The step that the first argument names; its exit code."""
    options = _options().parse_args()
    to_stderr = getattr(options, "export", False)
    stack = Stack.at(options.folder, lambda text: _say(text, to_stderr=to_stderr))
    try:
        return int(options.step(stack, options))
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _options() -> argparse.ArgumentParser:
    home = Path(os.environ.get("DRMN_HOME", ".drmn"))
    parser = argparse.ArgumentParser(prog="infra/local")
    steps = parser.add_subparsers(required=True)
    found = {}
    for step in (up, down, status, logs):
        found[step.__name__] = each = steps.add_parser(step.__name__, help=step.__doc__)
        each.set_defaults(step=step)
        each.add_argument("--folder", type=Path, default=home / "local", help="of the stack")
    found["up"].add_argument("--export", action="store_true", help='for eval "$(…)"')
    found["down"].add_argument("--delete", action="store_true", help="the data, too")
    found["logs"].add_argument("server", nargs="?", help="default: all")
    found["logs"].add_argument("-n", type=int, default=20, help="lines of each")
    return parser


def up(stack: Stack, options: argparse.Namespace) -> int:
    """Start what does not run."""
    stack.up()
    source = f". {shlex.quote(str(stack.places.environment))}"
    print(source if options.export else f"now: {source}")
    return 0


def down(stack: Stack, options: argparse.Namespace) -> int:
    """Stop what runs."""
    stack.down(delete=options.delete)
    return 0


def status(stack: Stack, _options: argparse.Namespace) -> int:
    """Show what runs; exit code 1 unless all does."""
    running = [daemon.pid is not None for daemon in stack.daemons]
    for daemon in stack.daemons:
        state = f"process {daemon.pid} on {stack.address(daemon)}" if daemon.pid else "not running"
        print(f"{daemon.name:16} {state}")
    return 0 if all(running) else 1


def logs(stack: Stack, options: argparse.Namespace) -> int:
    """Show the ends of the logs."""
    for daemon in stack.daemons:
        if options.server in (None, daemon.name) and daemon.log.exists():
            print(f"== {daemon.log}\n{daemon.log_end(options.n)}")
    return 0


def _say(text: str, *, to_stderr: bool) -> None:
    print(text, file=sys.stderr if to_stderr else sys.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(main())
