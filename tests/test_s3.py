"""Buckets, as docs/cluster.md has them: for DVC's outputs and for checkpoints."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from roigan.errors import UserError
from roigan.launch.identity import run_name
from roigan.launch.storage import forget
from roigan.launch.training import launch
from tests.bucket import Bucket
from tests.conftest import Small
from tests.test_faults import Killed
from tests.test_readme import fresh_clone

pytestmark = pytest.mark.slow


@pytest.fixture
def project(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the prepared project, as the current folder."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_killed_run_goes_on_from_the_bucket(
    small: Small,
    project: Path,
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = run_name(small(), project)
    expected = load_file(launch(small(), project, name, lambda row: None) / "state.safetensors")
    forget(name)
    monkeypatch.setenv("ROIGAN_CHECKPOINTS", bucket.checkpoints)
    steps: list[int] = []

    def on_report(row: dict) -> None:
        steps.append(row["step"])
        if steps == [3, 6]:
            raise Killed

    with pytest.raises(Killed):
        launch(small(), project, name, on_report)
    shutil.rmtree(project / ".roigan")  # the machine is gone
    newest = f"roigan/{name}/checkpoint-00000006/state.json"
    assert newest in bucket.names()
    bucket.client.put_object(Bucket=bucket.name, Key=newest, Body=b"{")
    weights = load_file(launch(small(), project, name, on_report) / "state.safetensors")
    assert "checkpoint-00000006 is damaged (state.json is not what was written)" in capsys.readouterr().out
    assert steps == [3, 6, 6, 8]
    assert all((weights[key] == expected[key]).all() for key in expected)
    assert not (project / ".roigan/runs").exists()
    forget(name)
    assert not [key for key in bucket.names() if name in key]


def test_a_bucket_that_is_out_of_reach_is_one_line_and_costs_one_epoch(
    small: Small, project: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROIGAN_CHECKPOINTS", bucket.checkpoints)
    name = run_name(small(), project)
    with pytest.raises(
        UserError, match=r"checkpoint of step 6 cannot be written \(.*NETWORK_CONNECTION.*"
    ) as caught:
        launch(small(), project, name, lambda row: bucket.stop())
    assert "\n" not in str(caught.value)
    bucket.start()
    steps: list[int] = []
    launch(small(), project, name, lambda row: steps.append(row["step"]))
    assert steps == [6, 8]


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ("s3://me:secret@none/x?scheme=http&endpoint_override=127.0.0.1:1", "none/x cannot be used"),
        ("ftp://me:secret@x/y", "x/y cannot be used .Unrecognized filesystem type"),
        ("not/absolute", "not/absolute cannot be used"),
    ],
)
def test_a_place_that_cannot_be_used_is_one_line(
    place: str, complaint: str, small: Small, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROIGAN_CHECKPOINTS", place)
    with pytest.raises(UserError, match=f"^ROIGAN_CHECKPOINTS: {complaint}") as caught:
        launch(small(), project, "name", lambda row: None)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_another_clone_pulls_instead_of_computing(bucket: Bucket, tmp_path: Path) -> None:
    """The commands of docs/cluster.md, for the first two stages."""
    stages = ["prepare", "masks"]
    one, two = tmp_path / "one", tmp_path / "two"
    fresh_clone(one)
    dvc(one, "remote", "add", "--default", "store", f"s3://{bucket.name}/store")
    dvc(one, "remote", "modify", "store", "endpointurl", bucket.url)
    assert "Running stage 'prepare'" in dvc(one, "repro", *stages)
    assert "pushed" in dvc(one, "push", *stages)

    git(one, "commit", "--quiet", "--all", "--message", "what was computed")
    git(tmp_path, "clone", "--quiet", "one", "two")
    assert "Running stage" not in dvc(two, "repro", "--pull", *stages)
    for file in ("data/prepared/train.npy", "data/masks/ellipse.npz"):
        assert (two / file).read_bytes() == (one / file).read_bytes()


def dvc(clone: Path, *arguments: str) -> str:
    """A command of DVC, as a user of the clone types it."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=clone, env=os.environ | {"PYTHONPATH": str(clone), "PATH": path}, text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=reader", "-c", "user.email=reader@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True)
