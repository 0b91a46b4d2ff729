"""What docs/security.md says of TLS, done: Ray's gRPC and MLflow with a throw-away authority."""

import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from ray.util import get_node_ip_address
from ray_head import LOOPBACK, free_port, serve_ray_head, stop_group
from throwaway_ca import issue
from typed_commands import BIN, clean_environ, run_command

from orchestration.exposure import Exposure, exposure

pytestmark = pytest.mark.slow

_TASK = """
import ray, sys
ray.init(sys.argv[1], log_to_driver=False, logging_level="ERROR")
print(ray.get(ray.remote(resources={"there": 1})(lambda: "ran there").remote()))
"""
_CREATE = """
import mlflow, sys
print(mlflow.MlflowClient(sys.argv[1]).create_experiment("over-tls"))
"""


@pytest.mark.timeout(150, func_only=True)
def test_ray_s_nodes_and_drivers_need_a_certificate(tmp_path: Path) -> None:
    own = get_node_ip_address()  # Ray's nodes go by it even where they are told 127.0.0.1
    made = issue(tmp_path, [LOOPBACK, own])
    plain = clean_environ(RAY_AUTH_MODE="disabled")
    environ = plain | {
        "RAY_USE_TLS": "1",
        "RAY_TLS_SERVER_CERT": str(made.certificate),
        "RAY_TLS_SERVER_KEY": str(made.key),
        "RAY_TLS_CA_CERT": str(made.authority),
    }
    with serve_ray_head(environ) as head:
        head.wait_until(lambda: exposure(head.dashboard) is Exposure.OPEN)
        worker = subprocess.Popen(
            [
                BIN / "ray", "start", f"--address={head.gcs}", "--block", "--num-cpus=1",
                f"--node-ip-address={LOOPBACK}", '--resources={"there": 1}',
                f"--dashboard-agent-listen-port={free_port()}",
            ],
            env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            driver = [sys.executable, "-c", _TASK, head.gcs]
            done = run_command(*driver, folder=tmp_path, environ=environ)
            assert done.stdout.strip() == "ran there", done.stderr
        finally:
            stop_group(worker)
        assert exposure(head.gcs, timeout_s=2.0) is Exposure.SILENT


@pytest.mark.timeout(150, func_only=True)
def test_mlflow_is_spoken_to_by_https(tmp_path: Path) -> None:
    made = issue(tmp_path, [LOOPBACK])
    uri = f"https://{LOOPBACK}:{free_port()}"
    environ = clean_environ(
        MLFLOW_DISABLE_TELEMETRY="true",
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
    )
    server = subprocess.Popen(
        [
            sys.executable, "-m", "mlflow", "server", "--host", LOOPBACK, "--workers", "1",
            "--port", uri.rpartition(":")[2], "--backend-store-uri", f"sqlite:///{tmp_path}/db",
            "--uvicorn-opts", f"--ssl-certfile={made.certificate} --ssl-keyfile={made.key}",
        ],
        env=environ, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        trusting = environ | {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(made.authority)}
        end = time.monotonic() + 100
        while not _answers(uri, made.authority):
            assert time.monotonic() < end
            assert server.poll() is None
            time.sleep(0.3)
        command = [sys.executable, "-c", _CREATE, uri]
        done = run_command(*command, folder=tmp_path, environ=trusting)
        assert done.stdout.strip().isdecimal(), done.stderr
        refused = run_command(*command, folder=tmp_path, environ=environ)
        assert "CERTIFICATE_VERIFY_FAILED" in refused.stderr
    finally:
        stop_group(server)


def _answers(uri: str, authority: Path) -> bool:
    try:
        context = ssl.create_default_context(cafile=str(authority))
        with urllib.request.urlopen(f"{uri}/health", timeout=5, context=context) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
