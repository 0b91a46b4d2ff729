"""All files below infra/ that are not Kubernetes': each is checked by the schema or the linter of
what reads it, and against what drmn itself takes."""

import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from deployment_files import INFRA
from ray.autoscaler._private.util import prepare_config, validate_config

BIN = Path(sys.executable).parent
CLUSTERS = ("aws/cluster.yaml", "onprem/cluster.yaml")
SCRIPTS = ("compose-secrets", "local/*", "kuberay/base/files/*.sh", "../.ci/run")


def _run(*command: str | Path, folder: Path = INFRA) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_compose_follows_its_schema() -> None:
    _run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")


def test_the_image_is_built_as_its_linter_wants() -> None:
    _run(BIN / "hadolint", "Dockerfile")
    text = (INFRA / "Dockerfile").read_text()
    assert " --index-url" not in text, "it would replace the index that has everything else"
    assert text.rindex("USER 1000:1000") > text.rindex("FROM ")
    assert all(
        "-c infra/constraints.txt" in line for line in text.splitlines() if "pip inst" in line
    )


def test_shell_scripts_are_clean() -> None:
    found = [path for pattern in SCRIPTS for path in INFRA.glob(pattern) if path.is_file()]
    assert len(found) >= 8
    _run(BIN / "shellcheck", *found)


def test_secrets_are_made_once_and_for_one_reader(tmp_path: Path) -> None:
    file = tmp_path / "env"
    _run(INFRA / "compose-secrets", file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    made = dict(line.split("=") for line in file.read_text().splitlines())
    wanted = set(re.findall(r"\$\{(\w+):\?", (INFRA / "compose.yaml").read_text()))
    assert set(made) == wanted
    assert len(set(made.values())) == len(made)
    assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in made.values())
    again = subprocess.run(
        [INFRA / "compose-secrets", file], capture_output=True, text=True, check=False
    )
    assert again.returncode == 1
    assert "exists: delete it first" in again.stderr


@pytest.mark.parametrize("name", CLUSTERS)
def test_ray_up_takes_the_cluster(name: str) -> None:
    config = yaml.safe_load((INFRA / name).read_text())
    prepared = prepare_config(config)
    validate_config(prepared)
    assert prepared["head_node_type"] in prepared["available_node_types"]
    starts = [*config["head_start_ray_commands"], *config["worker_start_ray_commands"]]
    commands = [line for line in starts if "ray start" in line]
    sets_mode = [*commands, *config["setup_commands"]]
    assert len(commands) == 2
    assert any("RAY_AUTH_MODE=token" in line for line in sets_mode)
    for place in ("DRMN_SWEEP_STORAGE", "DRMN_STUDY_STORAGE", "MLFLOW_TRACKING_URI"):
        assert any(f"{place}=" in line for line in config["setup_commands"]), place
    assert all(". ~/drmn.env" in line for line in commands)
    assert "--dashboard-host=127.0.0.1" in commands[0]
    assert "chmod 600 ~/.ray/auth_token" in config["setup_commands"]


def test_own_machines_all_stay_and_rented_ones_go() -> None:
    """Ray fits no request to a machine of one's own that does not run."""
    own, rented = (
        prepare_config(yaml.safe_load((INFRA / f"{place}/cluster.yaml").read_text()))
        for place in ("onprem", "aws")
    )
    (kind,) = own["available_node_types"].values()
    assert kind["min_workers"] == kind["max_workers"] == len(own["provider"]["worker_ips"])
    assert all(kind["min_workers"] == 0 for kind in rented["available_node_types"].values())


def test_aws_workers_are_spot_machines_and_give_no_role_to_who_cannot_sign() -> None:
    kinds = yaml.safe_load((INFRA / "aws/cluster.yaml").read_text())["available_node_types"]
    assert kinds["gpu"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    for kind in kinds.values():
        assert kind["node_config"]["MetadataOptions"]["HttpTokens"] == "required"
        assert kind["node_config"]["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
