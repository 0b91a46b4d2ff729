"""The command line: ``drmn`` and, for its most used sub-command, ``drmn-sweep``.

What each command needs is imported when it runs, so that help and completion answer at once.
"""

from orchestration.cli_ablate import ablate
from orchestration.cli_data import data_app
from orchestration.cli_doctor import doctor
from orchestration.cli_evaluate import evaluate
from orchestration.cli_predict import predict
from orchestration.cli_register import register
from orchestration.cli_report import report
from orchestration.cli_runs import runs_app
from orchestration.cli_sweep import sweep
from orchestration.cli_train import train
from orchestration.terminal.commands import add_command, exit_codes, make_group, make_program, run

_SEARCH = "Search and train"
_MODEL = "Use a model"
_BOOKS = "Follow and compare"
_GROUND = "Data and machine"

_START = "Start with: drmn-sweep --dataset sprites --trials 8"
_ABLATE_EXAMPLES = (
    "drmn ablate --dataset sprites --seeds 2",
    "drmn ablate --dataset cub --study table2 --tune-each 8 --gpus-per-trial 1",
)
SWEEP_EXAMPLES = (
    "drmn-sweep --dataset sprites --trials 8",
    "drmn-sweep --dataset sun --data-root data/xlsa17 --budget 8h --name sun-1",
    "drmn-sweep --dataset cub --trials 32 --plan",
)

app = make_group(
    "drmn",
    "DRMN for zero-shot learning: data, sweeps and ablations.",
    epilog=f"{_START}\n\n{exit_codes()}",
    completion=True,
)
add_command(app, "sweep", sweep, panel=_SEARCH, examples=SWEEP_EXAMPLES)
add_command(app, "ablate", ablate, panel=_SEARCH, examples=_ABLATE_EXAMPLES)
add_command(
    app,
    "train",
    train,
    panel=_SEARCH,
    examples=("drmn train --dataset sprites --out run1 --set training.epochs=5",),
)
add_command(
    app,
    "predict",
    predict,
    panel=_MODEL,
    examples=("drmn predict cat.jpg --model models:/drmn-cifar-awa2@champion --overlay maps",),
)
add_command(
    app,
    "evaluate",
    evaluate,
    panel=_MODEL,
    examples=("drmn evaluate --model models:/drmn-sprites@champion --per-class",),
)
add_command(app, "register", register, panel=_MODEL, examples=("drmn register .drmn/sweeps/NAME",))
app.add_typer(runs_app, name="runs", rich_help_panel=_BOOKS)
add_command(
    app, "report", report, panel=_BOOKS, examples=("drmn report paper-sprites --format tex",)
)
app.add_typer(data_app, name="data", rich_help_panel=_GROUND)
add_command(app, "doctor", doctor, panel=_GROUND, examples=("drmn doctor", "drmn doctor --json"))

sweep_app = make_program("drmn-sweep", sweep, SWEEP_EXAMPLES)
ablation_app = make_program("ablation.py", ablate, _ABLATE_EXAMPLES)


def main() -> None:
    """Entry point of ``drmn``."""
    run(app)


def sweep_main() -> None:
    """Entry point of ``drmn-sweep``."""
    run(sweep_app)


def ablation_main() -> None:
    """Entry point of ``orchestration/ablation.py``."""
    run(ablation_app)
