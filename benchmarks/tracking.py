"""Runs into MLflow: metrics per second, time added to an epoch, and whether all arrives in order.

Our writer (spool, batches, a thread) against Ray's MLflowLoggerCallback, in turn, into SQLite, into
PostgreSQL and over HTTP to a real ``mlflow server`` on PostgreSQL. Then 200 concurrent trials of
100 epochs go to that server by our writer and are read back. Prints tables, writes
results/tracking.json. ``--rounds 1 --trials 4 --epochs 5`` is a check that writes nothing.

    python benchmarks/tracking.py
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

import sqlalchemy
from measuring import machine
from mlflow import MlflowClient
from tracking_writers import Written, reported, write_ours, write_stock

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "servers"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "infra" / "local"))
from drmn_local.postgres import postgres_binaries
from mlflow_server import MlflowServer
from postgres_server import serve_postgres

from orchestration.tracking import Tag

RESULT = Path(__file__).parent / "results" / "tracking.json"
STOCK_TRIALS, STOCK_EPOCHS = 3, 4
OUR_TRIALS, OUR_EPOCHS = 20, 25
TRIALS, EPOCHS, ROUNDS = 200, 100, 3
TARGET_RATIO, TARGET_ADDED_MS = 8.0, 2.0


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """Addresses of two fresh databases of one PostgreSQL, ``direct`` and ``served``."""
    binaries = postgres_binaries()
    if binaries is None:
        sys.exit("no PostgreSQL here: install Debian's postgresql, or put initdb into PATH")
    with serve_postgres(binaries) as uri:
        address = sqlalchemy.make_url(uri).set(drivername="postgresql+psycopg")
        engine = sqlalchemy.create_engine(address, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for name in ("direct", "served"):
                connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
        engine.dispose()
        yield {
            name: address.set(database=name).render_as_string(hide_password=False)
            for name in ("direct", "served")
        }


@contextmanager
def stores(folder: Path) -> Iterator[tuple[dict[str, str], str]]:
    """MLflow's addresses by what they are, migrated; and the database behind the server."""
    with databases() as found, ExitStack() as stack:
        (folder / "server").mkdir()
        server = MlflowServer(folder / "server", found["served"])
        server.start()
        stack.callback(server.stop)
        uris = {
            "SQLite": f"sqlite:///{folder}/mlflow.db",
            "PostgreSQL": found["direct"],
            "HTTP": server.uri,
        }
        for uri in uris.values():
            MlflowClient(uri).search_experiments()
        yield uris, found["served"]


def compare(uri: str, folder: Path, rounds: int) -> dict[str, object]:
    """Both writers in turn; medians over rounds, and over all calls."""
    ours: list[Written] = []
    stock: list[Written] = []
    for _ in range(rounds):
        name = uuid.uuid4().hex
        stock.append(write_stock(uri, f"stock-{name}", folder, STOCK_TRIALS, STOCK_EPOCHS))
        ours.append(write_ours(uri, f"ours-{name}", folder, OUR_TRIALS, OUR_EPOCHS))
    ratios = [a.metrics_per_s / b.metrics_per_s for a, b in zip(ours, stock, strict=True)]
    return {"ours": figures(ours), "stock": figures(stock), "ratio": statistics.median(ratios)}


def figures(rounds: list[Written]) -> dict[str, float]:
    calls_ms = sorted(1000 * call for each in rounds for call in each.calls_s)
    return {
        "num_metrics": rounds[0].num_metrics,
        "metrics_per_s": statistics.median(each.metrics_per_s for each in rounds),
        "added_ms_median": statistics.median(calls_ms),
        "added_ms_p99": calls_ms[int(0.99 * len(calls_ms))],
        "added_ms_max": calls_ms[-1],
    }


def arrival(uri: str, database: str, folder: Path, trials: int, epochs: int) -> dict[str, object]:
    """Many trials at once over HTTP by our writer, then every point read from the database."""
    name = f"arrival-{uuid.uuid4().hex}"
    written = write_ours(uri, name, folder, trials, epochs)
    started = time.perf_counter()
    num_wrong = count_wrong(MlflowClient(database), name, trials, epochs)
    return {
        "trials": trials,
        "epochs": epochs,
        **figures([written]),
        "wall_s": written.wall_s,
        "reading_back_s": time.perf_counter() - started,
        "series_wrong": num_wrong,
    }


def count_wrong(client: MlflowClient, experiment: str, trials: int, epochs: int) -> int:
    """Series of a trial's metric that are not complete, in order, once; runs that are not ended."""
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    runs = client.search_runs([found.experiment_id], max_results=5000)
    by_key = {run.data.tags[Tag.TRIAL_KEY]: run for run in runs}
    wrong = len(runs) - (1 + trials) + sum(run.info.status != "FINISHED" for run in runs)
    for trial in range(trials):
        run_id = by_key[f"s/{trial}"].info.run_id
        expected = [reported(trial, epoch) for epoch in range(1, epochs + 1)]
        for name in expected[0]:
            points = client.get_metric_history(run_id, name)
            steps = [(point.step, point.value) for point in points]
            times = [point.timestamp for point in points]
            right = [(epoch, each[name]) for epoch, each in enumerate(expected, start=1)]
            wrong += steps != right or times != sorted(times)
    return wrong


def show(rates: dict[str, dict[str, object]], arrived: dict[str, object]) -> None:
    print(
        f"{'into':12}{'ours, 1/s':>12}{'stock, 1/s':>12}{'ratio':>8}{'added, ms':>12}{'stock':>9}"
    )
    for name, row in rates.items():
        ours, stock = row["ours"], row["stock"]
        print(
            f"{name:12}{ours['metrics_per_s']:12.0f}{stock['metrics_per_s']:12.0f}"  # type: ignore[index]
            f"{row['ratio']:8.1f}{ours['added_ms_median']:12.3f}{stock['added_ms_median']:9.1f}"  # type: ignore[index]
        )
    print({key: value for key, value in arrived.items() if key != "added_ms_max"})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--trials", type=int, default=TRIALS, help="of the last part")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of the last part")
    arguments = parser.parse_args()
    before = machine()
    with tempfile.TemporaryDirectory(prefix="drmn-tracking-") as name:
        folder = Path(name)
        with stores(folder) as (uris, database):
            rates = {}
            for store, uri in uris.items():
                rates[store] = compare(uri, folder, arguments.rounds)
                print(store, rates[store], flush=True)
            arrived = arrival(uris["HTTP"], database, folder, arguments.trials, arguments.epochs)
    show(rates, arrived)
    added = max(row["ours"]["added_ms_median"] for row in rates.values())  # type: ignore[index]
    results = {
        "machine": before,
        "versions": {name: version(name) for name in ("ray", "mlflow")},
        "rounds": arguments.rounds,
        "rates": rates,
        "arrival": arrived,
        "targets": {"ratio": TARGET_RATIO, "added_ms_median": TARGET_ADDED_MS, "series_wrong": 0},
        "met": min(row["ratio"] for row in rates.values()) >= TARGET_RATIO  # type: ignore[type-var]
        and added < TARGET_ADDED_MS
        and arrived["series_wrong"] == 0,
    }
    print("targets met:", results["met"])
    if (arguments.rounds, arguments.trials, arguments.epochs) == (ROUNDS, TRIALS, EPOCHS):
        RESULT.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
