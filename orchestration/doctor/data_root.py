"""The folder that holds the data sets."""

from drmn.data.dataset import dataset_key
from drmn.data.layouts.detection import reader_of
from orchestration.doctor.finding import Finding, good, warning
from orchestration.settings import DATA_ROOT, Settings


def check_data_root(settings: Settings) -> list[Finding]:
    """Which data sets are there, by the files in their folders; their content is not read."""
    root = settings.data_root
    if not root.is_dir():
        return [
            warning(
                f"there is no data root {root}; `--dataset sprites` needs none",
                f"set {DATA_ROOT} to the folder that holds one folder per data set",
            )
        ]
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    names = [dataset_key(path.name).replace("_", "-") for path in folders if reader_of(path)]
    if not names:
        return [
            warning(
                f"no folder of {root} is a data set",
                "see docs/data.md for what is expected in one",
            )
        ]
    return [good(f"{root}: {', '.join(names)}; verify with `drmn data check --dataset NAME`")]
