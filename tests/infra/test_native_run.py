"""What compose.yaml and the manifests start, started here: the same commands, order, environment,
probes and job, without an engine."""

import base64
import shlex
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import psycopg
import pytest
from deployment_files import KUBERAY, Tree, built, pods
from distributions import write_folder
from drmn_local.postgres import postgres_binaries
from native_compose import HOST, NativeCompose, short_folder
from swift_server import ACCESS_KEY, SECRET_KEY, SwiftServer
from typed_commands import TINY, run_command

from orchestration.exposure import Exposure, exposure

pytestmark = pytest.mark.slow

SMALL = ["--trials", "1", "--grace-period", "1", "--final-seeds", "1", "--no-paper-final"]
SMALL += ["--gpus-per-trial", "0", *TINY]
"""Options that make the job's sweep one of seconds; the last of an option given twice counts."""


def _status(url: str, **headers: str) -> int:
    """Of an answer; 0 where there is none."""
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def _probe_path(group: Tree) -> str:
    (container,) = group["template"]["spec"]["containers"]
    return str(container["readinessProbe"]["httpGet"]["path"])


def _mlflow_probe() -> str:
    (path,) = {
        container["readinessProbe"]["httpGet"]["path"]
        for document in built("overlays/minio")
        if document["kind"] == "Deployment"
        for _, pod in pods(document)
        for container in pod["spec"]["containers"]
    }
    return str(path)


def _ray_groups() -> tuple[Tree, Tree]:
    (cluster,) = [item["spec"] for item in built("overlays/minio") if item["kind"] == "RayCluster"]
    return cluster["headGroupSpec"], cluster["workerGroupSpecs"][0]


@pytest.fixture
def services(tmp_path: Path, postgres: str, object_store: SwiftServer) -> Iterator[NativeCompose]:
    """The databases, MLflow, a head and a worker, in the order that compose.yaml gives."""
    services = NativeCompose(tmp_path, postgres, object_store)
    _make_databases(services)
    _make_bucket(services)
    services.run("mlflow-migrate", "mlflow-migrate-auth")
    with ExitStack() as stack:
        session = stack.enter_context(short_folder())
        own = ["--node-ip-address=127.0.0.1"]
        stack.enter_context(services.started("mlflow"))
        agent = f"--dashboard-agent-listen-port={services.ports['agent']}"
        stack.enter_context(services.started("ray-head", [*own, agent, f"--temp-dir={session}"]))
        gcs_path = _probe_path(_ray_groups()[0])
        services.wait_until("ray-head", lambda: _status(services.dashboard + gcs_path) == 200)
        agent = f"--dashboard-agent-listen-port={services.ports['worker_agent']}"
        stack.enter_context(services.started("ray-worker", [*own, agent, "--num-cpus=1"]))
        health = services.mlflow + _mlflow_probe()
        services.wait_until("mlflow", lambda: _status(health, Host="10.1.2.3:5000") == 200)
        worker = f"http://{HOST}:{services.ports['worker_agent']}{_probe_path(_ray_groups()[1])}"
        services.wait_until("ray-worker", lambda: _status(worker) == 200)
        yield services


def _make_databases(services: NativeCompose) -> None:
    """As the image of PostgreSQL does: its script, with its variables."""
    server, binaries = urlsplit(services.postgres), postgres_binaries()
    assert binaries is not None
    login = {"PGHOST": HOST, "PGPORT": str(server.port), "PGPASSWORD": server.password or ""}
    environ = {**services.environ("postgres"), **login, "POSTGRES_USER": server.username or ""}
    script = KUBERAY / "base/files/create-databases.sh"
    subprocess.run([script], env=environ, check=True, capture_output=True, timeout=30)
    (container,) = [
        each["spec"]["containers"][0]
        for item in built("overlays/minio")
        if item["kind"] == "StatefulSet" and item["metadata"]["name"] == "postgres"
        for _, each in pods(item)
    ]
    probe = container["readinessProbe"]["exec"]["command"]
    subprocess.run([binaries / probe[0], *probe[1:], f"--port={server.port}"], check=True)


def _make_bucket(services: NativeCompose) -> None:
    _store(services).create_bucket(Bucket="mlflow")


def _store(services: NativeCompose):
    return boto3.client(
        "s3", endpoint_url=services.store.endpoint, region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
    )  # fmt: skip


def _submit(services: NativeCompose) -> subprocess.CompletedProcess[str]:
    """The entry point of the sweep's RayJob, made small, on a data set of twenty pictures."""
    (words,) = [shlex.split(item["spec"]["entrypoint"]) for item in built("jobs/sweep")]
    write_folder(services.folder / "shared/data/MINE")
    job = [word.replace("sprites", "mine") for word in words]
    command = ["ray", "job", "submit", "--address", services.dashboard, "--", *job, *SMALL]
    environ = services.environ("ray-head")
    return run_command(*command, folder=services.folder, environ=environ, timeout_s=140)


@pytest.mark.timeout(300, func_only=True)
def test_what_the_files_start_runs_a_job(services: NativeCompose) -> None:
    for address in (services.dashboard, f"{HOST}:{services.ports['gcs']}"):
        assert exposure(address) is Exposure.GUARDED
    done = _submit(services)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "registered as models:/drmn-mine/1, champion" in done.stdout
    _check_mlflow(services)
    _check_databases(services)
    objects = {
        bucket: [
            each["Key"] for each in _store(services).list_objects_v2(Bucket=bucket)["Contents"]
        ]
        for bucket in ("mlflow", "drmn")
    }
    assert any(key.endswith("model.drmn") for key in objects["mlflow"])
    assert any(key.endswith(".ckpt") for key in objects["drmn"])


def _check_mlflow(services: NativeCompose) -> None:
    """It has the sweep, for whoever has the password."""
    found = f"{services.mlflow}/api/2.0/mlflow/experiments/get-by-name?experiment_name=drmn-mine"
    login = base64.b64encode(f"drmn:{services.secrets['MLFLOW_PASSWORD']}".encode()).decode()
    assert _status(found) == 401
    assert _status(found, Authorization=f"Basic {login}", Host="evil.example") == 403
    assert _status(found, Authorization=f"Basic {login}") == 200


def _check_databases(services: NativeCompose) -> None:
    """Optuna's study is in its own database, into which MLflow's role is not let."""
    server, secrets = urlsplit(services.postgres), services.secrets
    place = {"host": HOST, "port": server.port, "dbname": "optuna"}
    own = psycopg.connect(**place, user="optuna", password=secrets["OPTUNA_DB_PASSWORD"])
    with own as connection:
        assert connection.execute("SELECT count(*) FROM studies").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(**place, user="mlflow", password=secrets["MLFLOW_DB_PASSWORD"])
