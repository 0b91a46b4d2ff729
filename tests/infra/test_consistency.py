"""What the files below infra/ say, against each other and against the programs they start."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

from deployment_files import (
    INFRA,
    JOBS,
    KUBERAY,
    OVERLAYS,
    Container,
    built,
    compose,
    compose_containers,
    kubernetes_containers,
)
from typer.main import get_command

from orchestration import cli, settings


def _containers() -> list[Container]:
    return [*compose_containers(), *(c for name in OVERLAYS for c in kubernetes_containers(name))]


def test_every_image_has_a_version() -> None:
    for container in _containers():
        tag = container.image.partition(":")[2]
        assert re.search(r"\d", tag), container.where
        assert tag != "latest", container.where


def test_compose_publishes_on_loopback_alone_and_drops_what_it_can() -> None:
    for name, service in compose()["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        if service.get("network_mode") != "none":
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name


_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN$|ACCESS_KEY|SESSION_KEY|^KEY$|MC_HOST")


def test_a_secret_is_always_a_reference() -> None:
    for container in _containers():
        for name, value in container.environment.items():
            if _SECRET.search(name):
                assert re.match(r"\$\{|\{'secretKeyRef|http://\$", str(value)), container.where
            assert not re.search(r"://[^/$]*:[^/$@]*@", str(value)), container.where


def _known_to_drmn() -> set[str]:
    return {value for name, value in vars(settings).items() if name.isupper()}


def _known(name: str, image: str) -> bool:
    if name.startswith(("POSTGRES_", "PG")) or image.startswith(("minio/", "redis:")):
        return True
    if name.endswith("_DB_PASSWORD"):
        script = KUBERAY / "base/files/create-databases.sh"
        return image.startswith("postgres:") and name in script.read_text()
    if name.startswith("MLFLOW_"):
        return name in _mlflow_variables()
    others = {"HOME", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "MLFLOW_S3_ENDPOINT_URL"}
    others |= {"AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3"}
    return name in others | {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} | _known_to_drmn()


def _mlflow_variables() -> set[str]:
    found = find_spec("mlflow")
    assert found is not None
    package = Path(found.origin or "").parent
    texts = [package / "environment_variables.py", package / "utils" / "cli_args.py"]
    texts.append(package / "cli" / "__init__.py")
    return {name for path in texts for name in re.findall(r"\bMLFLOW_\w+", path.read_text())}


def test_every_variable_is_one_that_somebody_reads() -> None:
    for container in _containers():
        for name in container.environment:
            assert _known(name, container.image), f"{container.where}: {name}"
    for overlay in OVERLAYS[:2]:
        (places,) = [
            item["data"] for item in built(overlay)
            if item["kind"] == "ConfigMap" and item["metadata"]["name"] == "settings"
        ]  # fmt: skip
        assert all(_known(name, "drmn") for name in places)


def _entrypoints() -> list[list[str]]:
    return [
        shlex.split(document["spec"]["entrypoint"])
        for name in JOBS
        for document in built(name)
        if document["kind"] == "RayJob"
    ]


def test_every_job_is_created_as_documented() -> None:
    text = (INFRA.parent / "docs/deployment.md").read_text()
    written = re.findall(r"kubectl (create|apply|delete\b.*) -([kf]) infra/kuberay/(\S+)", text)
    assert {f"jobs/{path.name}" for path in KUBERAY.glob("jobs/*")} == {*JOBS, "jobs/base"}
    assert {place for verb, flag, place in written if verb == "create"} == set(JOBS)
    assert {flag for _, flag, _ in written} == {"k"}, (
        "alone, a file has no namespace and no version"
    )
    names = [document["metadata"]["name"] for name in JOBS for document in built(name)]
    assert len(set(names)) == len(JOBS)
    for name in JOBS:
        assert [document["metadata"]["namespace"] for document in built(name)] == ["drmn"]


def test_jobs_ask_for_gpus_and_for_more_nodes() -> None:
    for name in ("jobs/sweep", "jobs/ablation"):
        (job,) = built(name)
        options = shlex.split(job["spec"]["entrypoint"])
        assert options[options.index("--gpus-per-trial") + 1] == "1"
        assert int(options[options.index("--max-concurrent") + 1]) > 1
    (resume,) = built("jobs/resume")
    (sweep,) = built("jobs/sweep")
    assert resume["spec"]["entrypoint"].split()[-1] == sweep["spec"]["entrypoint"].split()[-1]


def test_images_are_named_once() -> None:
    naming = [path for path in KUBERAY.rglob("kustomization.yaml") if "newTag" in path.read_text()]
    assert naming == [KUBERAY / "images/kustomization.yaml"]


def test_encryption_names_its_key_or_is_left_to_the_bucket() -> None:
    for path in [*INFRA.rglob("*.yaml")]:
        assert not re.search(r"DRMN_STORE_ENCRYPTION\W+aws:kms(?!/)", path.read_text()), path


def test_every_job_is_a_command_that_drmn_takes() -> None:
    found = _entrypoints()
    assert {words[0] for words in found} == {"drmn", "drmn-sweep"}
    for program, *arguments in found:
        app = {"drmn": cli.app, "drmn-sweep": cli.sweep_app}[program]
        command = get_command(app)
        context = command.make_context(program, list(arguments))
        if program == "drmn":
            name, sub, rest = command.resolve_command(context, list(arguments))
            assert sub is not None
            sub.make_context(name, rest, parent=context)


def test_ray_takes_every_option_it_is_started_with() -> None:
    from ray.scripts.scripts import cli as ray_cli

    started = [c.command[1:] for c in compose_containers() if c.command[:1] == ("ray",)]
    assert len(started) == 2
    for words in started:
        name, sub, rest = ray_cli.resolve_command(
            ray_cli.make_context("ray", list(words)), [*words]
        )
        sub.make_context(name, rest)
    for overlay in OVERLAYS[:2]:
        (cluster,) = [item["spec"] for item in built(overlay) if item["kind"] == "RayCluster"]
        options = {name for each in ray_cli.commands["start"].params for name in each.opts}
        for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
            assert {f"--{name}" for name in group["rayStartParams"]} <= options


def test_kubernetes_and_compose_start_mlflow_alike() -> None:
    ours = {
        c.command[:3]: c.command for c in compose_containers() if "mlflow" in str(c.command[:3])
    }
    theirs = [c for c in kubernetes_containers("overlays/minio") if c.command[:3] in ours]
    assert len(theirs) == 3
    for container in theirs:
        beside = ours[container.command[:3]]
        differing = set(container.command) ^ set(beside)
        assert all("localhost:5000" in word for word in differing), container.where
