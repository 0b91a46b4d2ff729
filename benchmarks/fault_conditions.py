"""What a result of a faults' script must be read with."""

import datetime as dt
import os
import platform
from importlib.metadata import version


def conditions() -> dict[str, object]:
    """Day, cores and versions."""
    names = ("ray", "optuna", "mlflow", "hypothesis")
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }
