"""What searches found, from sweeps and from --tune-each, as figures."""

from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from study_files import fake_record, fake_study

from drmn.config import Config
from drmn.names import OBJECTIVE, TIME_EPOCH_S
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.report.importance import row_searches, sweep_searches
from orchestration.report.results import load_results
from orchestration.request import SweepRequest
from orchestration.request_file import save_request
from orchestration.searcher.storage import STUDY_FILE, open_storage
from orchestration.settings import Settings, read_settings
from orchestration.study.catalogue import known_study
from search_spaces.domain import Choice, LogUniform, Uniform

SPACE = {
    "optimiser.lr": LogUniform(low=1e-4, high=1e-2),
    "loss.lambda_sc": Uniform(low=0.0, high=0.2),
    "training.classes_per_batch": Choice(options=(8, 16)),
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"DRMN_HOME": str(tmp_path)})


def _search(settings: Settings, name: str, key: str, num_trials: int = 8) -> None:
    folder = settings.sweep_folder(name)
    ledger = Ledger(folder / LEDGER_FILE)
    study = optuna.create_study(
        study_name=key,
        storage=open_storage(None, folder / STUDY_FILE),
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    for number in range(num_trials):
        trial = study.ask()
        rate = trial.suggest_float("optimiser.lr", 1e-4, 1e-2, log=True)
        trial.suggest_float("loss.lambda_sc", 0.0, 0.2)
        trial.suggest_categorical("training.classes_per_batch", (8, 16))
        study.tell(trial, 50 * rate)
        ledger.started(str(number), {"optimiser.lr": rate})
        ledger.epoch_ended(str(number), 1, {OBJECTIVE: rate, TIME_EPOCH_S: 30.0})


def test_a_sweep_is_shown_with_its_cost_and_most_important_setting_first(
    settings: Settings, tmp_path: Path
) -> None:
    request = SweepRequest(
        name="mine", identity="0f0f", variant="+ensemble", config=Config(), space=SPACE,
        data_root=tmp_path, num_trials=8,
    )  # fmt: skip
    save_request(request, settings.sweep_folder("mine"))
    _search(settings, "mine", request.key)
    (picture,) = sweep_searches(("mine",), settings)
    assert "the sweep mine (8 trials, 4.0 minutes of training)" in picture.caption
    assert picture.alt.startswith("Slices of the search; importance: optimiser.lr ")
    first = picture.figure.axes[0]
    assert first.get_title().startswith("lr\n")
    assert first.get_xscale() == "log"
    assert len(first.collections[0].get_offsets()) == 8


def test_rows_that_share_a_search_share_its_figure(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    _search(settings, "found", "found")
    _search(settings, "short", "short", num_trials=3)
    searches = {"cub/+global": "found", "cub/+ensemble": "found", "cub/baseline": "short"}
    record = replace(fake_record(known_study("table2"), [0]), searches=searches)
    results = load_results(fake_study(tmp_path / "two", record, tmp_path / "files"))
    (picture,) = row_searches(results, settings, "cub")
    assert "The search for +global and +ensemble (8 trials" in picture.caption
    assert list(row_searches(results, settings, "sun")) == []
