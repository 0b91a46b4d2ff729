"""Commands as a user types them, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent

TINY = [
    "--backbone", "resnet18", "--weights", "none", "--epochs", "1",
    "--set", "data.image_size=32", "--set", "model.fusion.channels=16",
    "--set", "training.steps_per_epoch=2", "--set", "training.classes_per_batch=2",
]  # fmt: skip
"""Options of a study whose trainings take a second or two."""


def clean_environ(**more: str) -> dict[str, str]:
    """This process's environment without what would point a command elsewhere."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DRMN_", "MLFLOW_", "RAY_"))
    }
    path = f"{BIN}{os.pathsep}{kept['PATH']}"
    return {**kept, "PATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **more}


def run_command(
    *command: str, folder: Path, environ: dict[str, str], timeout_s: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, whatever that is."""
    return subprocess.run(
        command,
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
