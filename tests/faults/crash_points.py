"""The process that write_faults.c is preloaded into: tries write points, prints what came of it."""

import argparse
import os
from pathlib import Path

from crash_writers import writers
from fault_matrix import Matrix, run, say
from write_faults import STATE, Fault, WriteFaults


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--writers", nargs="*", default=[])
    parser.add_argument("--faults", nargs="+", default=["kill", "torn", "eio", "enospc", "full"])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--servers", nargs="*", default=[], metavar="NAME=ADDRESS")
    given = parser.parse_args()
    matrix = Matrix(given.folder, WriteFaults(Path(os.environ[STATE])))
    faults = [Fault[name.upper()] for name in given.faults]
    servers = dict(each.split("=", 1) for each in given.servers)
    for line in run(matrix, writers(given.writers, servers), faults, every=given.every):
        say(line)


if __name__ == "__main__":
    main()
