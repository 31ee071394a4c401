"""The files in deploy/, as far as they can be checked without a cloud, Kubernetes or Docker.

Ray's cluster file is held against the schema that Ray ships. No package here brings the schema of KubeRay's
or of compose's files: what this project relies on is checked key by key, other misspelt keys are not seen.
"""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"


def load(name: str) -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def locked(package: str) -> str:
    found = re.search(rf'name = "{package}"\nversion = "([^"]+)"', (ROOT / "uv.lock").read_text())
    assert found
    return found[1]


def test_rays_own_schema_takes_the_cluster() -> None:
    (cluster,) = load("ray-cluster.yaml")
    ray = importlib.util.find_spec("ray")
    assert ray
    assert ray.origin
    schema = json.loads((Path(ray.origin).parent / "autoscaler/ray-schema.json").read_text())
    jsonschema.validate(cluster, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(cluster | {"head_nod_type": "head"}, schema)
    assert cluster["head_node_type"] in cluster["available_node_types"]
    assert cluster["file_mounts"]["~/.ray/auth_token"]
    for role in ("head", "worker"):
        stop, start = cluster[f"{role}_start_ray_commands"]
        assert "ray stop" in stop
        assert "RAY_AUTH_MODE=token" in start
    assert "--dashboard-host=127.0.0.1" in cluster["head_start_ray_commands"][1]


def test_the_ray_job_is_whole() -> None:
    claim, job = load("rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["rayVersion"] == locked("ray")
    assert cluster["authOptions"] == {"mode": "token"}
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for group in groups:
        assert "rayStartParams" in group
        pod = group["template"]["spec"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert volumes["shared"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
            assert mounts["shared"] == "/shared"  # the same path on all nodes
            assert mounts.keys() <= volumes.keys()
        for container in pod["containers"]:
            assert container["resources"]["limits"] == container["resources"]["requests"]
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    assert "ReadWriteMany" in claim["spec"]["accessModes"]


def test_the_image_has_the_paths_of_the_job() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "WORKDIR /home/roigan/project" in dockerfile
    assert "-C /home/roigan/project " in (DEPLOY / "rayjob.yaml").read_text()


def test_the_servers_listen_on_loopback() -> None:
    (compose,) = load("compose.yaml")
    services = compose["services"]
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:5000:5000"]
    for service in services.values():
        assert set(service.get("depends_on", [])) <= services.keys()
        named = [volume.split(":")[0] for volume in service.get("volumes", [])]
        assert set(named) <= compose["volumes"].keys()
        image = service.get("image", "built:here")
        assert ":" in image
        assert not image.endswith(":latest")


def test_the_server_is_the_locked_mlflow_and_its_options_exist() -> None:
    from mlflow.cli import server

    (compose,) = load("compose.yaml")
    mlflow = compose["services"]["mlflow"]
    assert f"mlflow=={locked('mlflow')} " in mlflow["build"]["dockerfile_inline"]
    known = {option for parameter in server.params for option in parameter.opts}
    program, command, *options = mlflow["command"]
    assert (program, command) == ("mlflow", "server")
    assert {option.split("=")[0] for option in options} <= known
    assert "*" not in next(option for option in options if option.startswith("--allowed-hosts"))


def test_no_password_is_shipped() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    wanted = set(re.findall(r"\$\{(\w+):\?", text))
    assert wanted == {"POSTGRES_PASSWORD", "S3_SECRET_KEY"}
    example = (DEPLOY / "example.env").read_text()
    assert all(re.search(rf"^{name}=$", example, re.MULTILINE) for name in wanted)
    assert "/deploy/.env" in (ROOT / ".gitignore").read_text()
