"""Where else a running sweep can be seen: exact addresses, kept for other terminals."""

import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from drmn.atomic import replacing
from drmn.places import without_password
from drmn.reading import FAULTS
from orchestration.searcher.storage import STUDY_FILE
from orchestration.settings import STUDY_STORAGE, Settings
from orchestration.tracking import ui_command

LINKS_FILE = "links.json"
"""Its name in a sweep's folder."""
MLFLOW_S = 3.0
"""How long a sweep waits at its beginning for MLflow to make its run."""
_UI = "http://127.0.0.1:5000"
"""Where `mlflow ui` listens."""


@dataclass(frozen=True, kw_only=True)
class Links:
    """Addresses of pages, and commands; "" where there is none. No password is part of them."""

    mlflow: str
    """The page of the sweep's run."""
    mlflow_command: str = ""
    """What serves that page, where no server does."""
    ray: str
    optuna: str

    def lines(self) -> list[str]:
        """For a terminal."""
        served = f"(served by: {self.mlflow_command})" if self.mlflow_command else ""
        known = {"MLflow:": self.mlflow, "": served, "Ray:": self.ray, "Optuna:": self.optuna}
        return [f"{name:8} {place}" for name, place in known.items() if place]

    def save(self, folder: Path) -> None:
        """For :func:`load_links`."""
        with replacing(folder / LINKS_FILE) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1) + "\n")


def tell_links(
    settings: Settings, run: tuple[str, str], dashboard: str, folder: Path, console: Console
) -> None:
    """Print and keep those of a sweep that begins.

    Args:
        settings: where MLflow and Optuna are.
        run: MLflow's ids of the experiment and of the sweep's run; "" where it is not made yet.
        dashboard: address of Ray's; "" where there is none.
        folder: the sweep's.
        console: for the links.
    """
    is_served = settings.tracking_uri.startswith("http")
    found = Links(
        mlflow=run_page(settings.tracking_uri, *run),
        mlflow_command="" if is_served else ui_command(settings),
        ray=dashboard_page(dashboard),
        optuna=study_command(settings.study_storage, folder),
    )
    found.save(folder)
    for line in found.lines():
        console.print(line, highlight=False, markup=False)


def load_links(folder: Path, settings: Settings) -> Links:
    """What the sweep's driver wrote; what is known without it, where it wrote nothing."""
    try:
        found = json.loads((folder / LINKS_FILE).read_text())
        return Links(**{name: str(place) for name, place in found.items()})
    except FAULTS:
        return Links(mlflow="", ray="", optuna=study_command(settings.study_storage, folder))


def run_page(tracking_uri: str, experiment_id: str, run_id: str) -> str:
    """MLflow's page of a run; that of a database is where `mlflow ui` serves it."""
    server = without_password(tracking_uri) if tracking_uri.startswith("http") else _UI
    return f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}" if run_id else ""


def dashboard_page(address: str | None) -> str:
    """Ray's dashboard; "" where it runs without one, as a local Ray of our own does."""
    if not address:
        return ""
    return address if "://" in address else f"http://{address}"


def study_command(study_storage: str | None, folder: Path) -> str:
    """Optuna's dashboard of the sweep's study; a password stays in the environment."""
    if study_storage is None:
        return shlex.join(["optuna-dashboard", str(folder / STUDY_FILE)])
    if without_password(study_storage) != study_storage:
        return f'optuna-dashboard "${{{STUDY_STORAGE}/postgresql:/postgresql+psycopg:}}"'
    return shlex.join(["optuna-dashboard", study_storage])
