"""The files for AWS: read by a parser of the language, and validated by terraform where it is."""

import json
import shutil
import subprocess
from pathlib import Path

import hcl2
import pytest
from deployment_files import INFRA

pytestmark = pytest.mark.slow


def _run(*command: str, folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_terraform_can_be_read_and_the_bucket_is_closed() -> None:
    kinds: dict[str, dict[str, str]] = {}
    for path in sorted((INFRA / "aws/terraform").glob("*.tf")):
        for block in hcl2.loads(path.read_text()).get("resource", []):
            for kind, named in block.items():
                kinds.setdefault(kind.strip('"'), {}).update(
                    {name.strip('"'): json.dumps(body) for name, body in named.items()}
                )
    store = [
        kind for kind, named in kinds.items() if kind.startswith("aws_s3") and "store" in named
    ]
    for wanted in ("public_access_block", "server_side_encryption", "versioning", "lifecycle"):
        assert any(wanted in kind for kind in store), wanted
    assert "create_spot_role" in kinds["aws_iam_service_linked_role"]["spot"]
    roles = (INFRA / "aws/terraform/roles.tf").read_text()
    assert "spot-instances-request/*" in roles.split("StartInOurNetwork")[1].split("statement")[0]
    assert "aws:kms" in kinds["aws_s3_bucket_server_side_encryption_configuration"]["store"]


def test_terraform_validates(tmp_path: Path) -> None:
    plugins = [Path("~/.terraform.d/plugins").expanduser(), *Path("/usr/share").glob("*/plugins")]
    plugins += [Path("/usr/local/share/terraform/plugins"), *Path("/opt").glob("*")]
    found = [path for path in plugins if list(path.glob("*/hashicorp/aws"))]
    if shutil.which("terraform") is None or not found:
        pytest.skip("no terraform here, or none of its aws provider's plugin on this machine")
    folder = tmp_path / "terraform"
    shutil.copytree(INFRA / "aws/terraform", folder)
    _run("terraform", "fmt", "-check", folder=folder)
    _run("terraform", "init", "-backend=false", f"-plugin-dir={found[0]}", folder=folder)
    _run("terraform", "validate", folder=folder)
