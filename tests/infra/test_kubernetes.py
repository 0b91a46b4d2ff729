"""What Kubernetes would be given: valid, closed, without a secret, and consistent in itself."""

import functools
import json
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
from deployment_files import OVERLAYS, Tree, built, kubernetes_containers, pod_containers, pods

VERSION = "1.33"
SCHEMA = json.loads((Path(__file__).parent / "kuberay-1.6.schema.json").read_text())
SPECS = {"RayCluster": "cluster", "RayJob": "job"}
OURS = ("overlays/minio", "overlays/aws")
MADE_BY_HAND = {
    "drmn": {"auth_token"},
    "mlflow": {"password", "session"},
    "postgres": {"admin", "mlflow", "optuna"},
    "redis": {"password"},
    "store": {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
}
"""The secrets that docs/deployment.md makes."""


def _kind(overlay: str, kind: str) -> list[Tree]:
    return [document for document in built(overlay) if document["kind"] == kind]


@functools.cache
def _valid(text: str) -> None:
    kubernetes_validate.validate(json.loads(text), VERSION, strict=True)


def _pod(template: Tree) -> Tree:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "any"}, **template}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_has_the_fields_of_its_kind(overlay: str) -> None:
    for document in built(overlay):
        if document["kind"] in SPECS:
            jsonschema.validate(
                document["spec"], {**SCHEMA, "$ref": f"#/$defs/{SPECS[document['kind']]}"}
            )
            for _, template in pods(document):
                _valid(json.dumps({**_pod({}), "spec": template["spec"]}, sort_keys=True))
        else:
            _valid(json.dumps(document, sort_keys=True))


def test_the_schema_refuses_what_the_operator_does_not_know() -> None:
    wrong = {"headGroupSpec": {"template": {"spec": {}}, "replicas": 1}}
    with pytest.raises(jsonschema.ValidationError, match="'replicas' was unexpected"):
        jsonschema.validate(wrong, {**SCHEMA, "$ref": "#/$defs/cluster"})


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_container_is_root_or_can_write_its_image(overlay: str) -> None:
    for document in built(overlay):
        for where, pod in pods(document):
            spec = pod["spec"]
            assert spec["securityContext"]["runAsNonRoot"] is True, where
            assert spec["securityContext"]["runAsUser"] > 0, where
            assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, where
            assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), where
            assert not [volume for volume in spec.get("volumes", ()) if "hostPath" in volume], where
            for container in pod_containers(where, pod):
                closed = container.spec["securityContext"]
                assert closed["readOnlyRootFilesystem"] is True, container.where
                assert closed["allowPrivilegeEscalation"] is False, container.where
                assert closed["capabilities"] == {"drop": ["ALL"]}, container.where


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_only_the_autoscaler_may_ask_the_kubernetes_api(overlay: str) -> None:
    for document in built(overlay):
        for where, pod in pods(document):
            is_head = where.endswith("headGroupSpec.template")
            assert pod["spec"]["automountServiceAccountToken"] is is_head, where


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_container_says_what_it_needs_at_least_and_at_most(overlay: str) -> None:
    for container in kubernetes_containers(overlay):
        for bound in ("requests", "limits"):
            asked = container.spec["resources"][bound]
            assert {"cpu", "memory", "ephemeral-storage"} <= asked.keys(), container.where


@pytest.mark.parametrize("overlay", OURS)
def test_every_server_is_probed(overlay: str) -> None:
    servers = [
        container
        for document in built(overlay)
        if document["kind"] in ("Deployment", "StatefulSet", "RayCluster")
        for where, pod in pods(document)
        for container in pod_containers(where, {"spec": {"containers": pod["spec"]["containers"]}})
    ]
    assert len(servers) >= 6
    for container in servers:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert probe in container.spec, container.where


@pytest.mark.parametrize("overlay", OURS)
def test_ray_asks_for_a_token_and_its_head_outlives_a_restart(overlay: str) -> None:
    (cluster,) = _kind(overlay, "RayCluster")
    assert cluster["spec"]["authOptions"] == {
        "mode": "token",
        "secretName": cluster["metadata"]["name"],
    }
    assert cluster["spec"]["gcsFaultToleranceOptions"]["redisAddress"] == "redis:6379"
    assert cluster["spec"]["headGroupSpec"]["serviceType"] == "ClusterIP"
    groups = {group["groupName"]: group for group in cluster["spec"]["workerGroupSpecs"]}
    assert {name: group["minReplicas"] for name, group in groups.items()} == {"cpu": 0, "gpu": 0}
    (worker,) = groups["gpu"]["template"]["spec"]["containers"]
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert worker["image"].endswith("-cuda")


@pytest.mark.parametrize("overlay", OURS)
def test_nothing_is_reachable_from_outside(overlay: str) -> None:
    assert not _kind(overlay, "Ingress")
    for service in _kind(overlay, "Service"):
        assert service["spec"].get("type", "ClusterIP") == "ClusterIP"
    rules = _kind(overlay, "NetworkPolicy")
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in [r["spec"] for r in rules]
    for rule in rules:
        for allowed in rule["spec"].get("ingress", ()):
            assert not [peer for peer in allowed["from"] if "ipBlock" in peer], rule["metadata"]
        for allowed in rule["spec"].get("egress", ()):
            for block in (peer["ipBlock"] for peer in allowed["to"] if "ipBlock" in peer):
                assert block["except"] == ["169.254.0.0/16"], "the metadata service gives out roles"


@pytest.mark.parametrize("overlay", OURS)
def test_every_secret_and_map_that_is_named_is_made(overlay: str) -> None:
    assert not _kind(overlay, "Secret")
    maps = {item["metadata"]["name"]: set(item["data"]) for item in _kind(overlay, "ConfigMap")}
    known = {**MADE_BY_HAND, **maps}
    for container in kubernetes_containers(overlay):
        for item in container.spec.get("env", ()):
            source = item.get("valueFrom", {})
            for reference in source.values():
                assert reference["key"] in known[reference["name"]], container.where
        for source in container.spec.get("envFrom", ()):
            (name,) = [each["name"] for each in source.values()]
            assert name in known, container.where


@pytest.mark.parametrize("overlay", OURS)
def test_what_a_drain_must_not_end_is_guarded(overlay: str) -> None:
    guarded = {
        tuple(sorted(each["spec"]["selector"]["matchLabels"].items()))
        for each in _kind(overlay, "PodDisruptionBudget")
    }
    assert (("ray.io/cluster", "drmn"), ("ray.io/node-type", "head")) in guarded
    for stateful in _kind(overlay, "StatefulSet"):
        labels = stateful["spec"]["selector"]["matchLabels"]
        assert tuple(sorted(labels.items())) in guarded


@pytest.mark.parametrize("overlay", OURS)
def test_every_service_has_pods_with_its_port(overlay: str) -> None:
    ready = [
        (pod["metadata"]["labels"], {port["name"] for port in container.spec.get("ports", ())})
        for document in built(overlay)
        if document["kind"] in ("Deployment", "StatefulSet")
        for where, pod in pods(document)
        for container in pod_containers(where, pod)
    ]
    for service in _kind(overlay, "Service"):
        wanted = service["spec"]["selector"].items()
        ports = {port["name"] for port in service["spec"]["ports"]}
        assert any(wanted <= labels.items() and ports <= there for labels, there in ready)
