"""The command line: ``drmn`` and, for its most used sub-command, ``drmn-sweep``.

Exit codes: 0 done; 1 it was started and failed; 2 a mistake in the request or the data;
130 interrupted (Ctrl-C); 143 terminated (SIGTERM, `drmn runs stop`).
"""

import sys
from collections.abc import Callable

import typer
from rich.console import Console
from rich.markup import escape

from drmn.errors import ConfigError, DataError, DrmnError
from orchestration.cli_ablate import ablate
from orchestration.cli_data import data_app
from orchestration.cli_evaluate import evaluate
from orchestration.cli_predict import predict
from orchestration.cli_register import register
from orchestration.cli_report import report
from orchestration.cli_runs import runs_app
from orchestration.cli_sweep import sweep
from orchestration.cli_train import train
from orchestration.searching import SweepInterruptedError
from orchestration.stopping.brake import EXIT_INTERRUPTED, StoppedNow

EXIT_FAILED = 1
EXIT_MISTAKE = 2

_SETTINGS = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="drmn",
    help="DRMN for zero-shot learning: data, sweeps and ablations.",
    no_args_is_help=True,
    context_settings=_SETTINGS,
    pretty_exceptions_enable=False,
)
app.command("sweep")(sweep)
app.command("train")(train)
app.command("predict")(predict)
app.command("evaluate")(evaluate)
app.command("register")(register)
app.command("ablate")(ablate)
app.command("report")(report)
app.add_typer(data_app, name="data")
app.add_typer(runs_app, name="runs")

sweep_app = typer.Typer(
    name="drmn-sweep", context_settings=_SETTINGS, pretty_exceptions_enable=False
)
sweep_app.command()(sweep)

ablation_app = typer.Typer(
    name="ablation.py", context_settings=_SETTINGS, pretty_exceptions_enable=False
)
ablation_app.command()(ablate)


def main() -> None:
    """Entry point of ``drmn``."""
    _guarded(app)


def sweep_main() -> None:
    """Entry point of ``drmn-sweep``."""
    _guarded(sweep_app)


def ablation_main() -> None:
    """Entry point of ``orchestration/ablation.py``."""
    _guarded(ablation_app)


def _guarded(command: Callable[[], None]) -> None:
    """Run; a user's mistake becomes one message and an exit code, never a traceback."""
    try:
        command()
    except SweepInterruptedError as error:
        Console(stderr=True).print(escape(str(error)), highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except DrmnError as error:
        console = Console(stderr=True)
        console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(EXIT_MISTAKE if isinstance(error, ConfigError | DataError) else EXIT_FAILED)
    except KeyboardInterrupt as error:
        Console(stderr=True).print("interrupted")
        sys.exit(error.exit_code if isinstance(error, StoppedNow) else EXIT_INTERRUPTED)
