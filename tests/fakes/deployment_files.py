"""The files below infra/ as data: what they start, with which image and environment."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

INFRA = Path(__file__).resolve().parents[2] / "infra"
KUBERAY = INFRA / "kuberay"
JOBS = ("jobs/sweep", "jobs/ablation", "jobs/resume")
OVERLAYS = ("overlays/minio", "overlays/aws", *JOBS)

Tree = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Container:
    """One program that a file starts."""

    where: str
    image: str
    command: tuple[str, ...]
    environment: dict[str, str]
    """Its literal values; of a secret only the reference."""
    spec: Tree


def compose() -> Tree:
    """compose.yaml, its anchors resolved."""
    found: Tree = yaml.safe_load((INFRA / "compose.yaml").read_text())
    return found


def compose_containers() -> list[Container]:
    return [
        Container(
            where=f"compose.yaml: {name}",
            image=service["image"],
            command=tuple(service.get("command", ())),
            environment=service.get("environment", {}),
            spec=service,
        )
        for name, service in compose()["services"].items()
    ]


@cache
def built(overlay: str) -> tuple[Tree, ...]:
    """What `kubectl apply -k` would send."""
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl here to build the overlays with")
    done = subprocess.run(
        ["kubectl", "kustomize", str(KUBERAY / overlay)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def pods(document: Tree) -> Iterator[tuple[str, Tree]]:
    """The pod templates of any object, with their places in it."""
    stack: list[tuple[str, Any]] = [
        (f"{document['kind']} {document['metadata']['name']}", document)
    ]
    while stack:
        where, node = stack.pop()
        if isinstance(node, dict) and "containers" in node.get("spec", {}):
            yield where, node
        elif isinstance(node, dict):
            stack += [(f"{where}.{key}", value) for key, value in node.items()]
        elif isinstance(node, list):
            stack += [(f"{where}[{index}]", value) for index, value in enumerate(node)]


def pod_containers(where: str, pod: Tree) -> list[Container]:
    spec = pod["spec"]
    return [
        Container(
            where=f"{where}: {each['name']}",
            image=each["image"],
            command=(*each.get("command", ()), *each.get("args", ())),
            environment={
                item["name"]: item.get("value", str(item.get("valueFrom")))
                for item in each.get("env", ())
            },
            spec=each,
        )
        for each in (*spec.get("initContainers", ()), *spec["containers"])
    ]


def kubernetes_containers(overlay: str) -> list[Container]:
    return [
        container
        for document in built(overlay)
        for where, pod in pods(document)
        for container in pod_containers(where, pod)
    ]
