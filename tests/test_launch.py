"""A real Ray group and a real MLflow store: two ranks, a worker killed, the driver killed."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml
from safetensors.torch import load_file

from roigan.config import Params

ROOT = Path(__file__).parent.parent
pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture
def project(prepared: Path, small, tmp_path: Path) -> Path:
    """A prepared project, whose parameters ask for two workers and eight epochs."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    write(tmp_path, small(train__num_workers=2, train__steps=24))
    return tmp_path


def write(project: Path, params: Params) -> None:
    (project / "params.yaml").write_text(yaml.safe_dump(params.model_dump(mode="json", by_alias=True)))


def start(project: Path, log: str = "log.txt") -> subprocess.Popen[bytes]:
    """The stage `train` as DVC starts it."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    with (project / log).open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "pipelines.train"],
            cwd=project, stdout=output, stderr=subprocess.STDOUT, env=environment,
        )  # fmt: skip


def wait_for(project: Path, text: str, process: subprocess.Popen[bytes], log: str = "log.txt") -> None:
    """Until the log holds `text`; fails when the process ends first or after five minutes."""
    for _ in range(1500):
        if text in (project / log).read_text():
            return
        assert process.poll() is None, (project / log).read_text()
        time.sleep(0.2)
    raise AssertionError(f"{text!r} did not appear:\n" + (project / log).read_text())


def finish(project: Path, process: subprocess.Popen[bytes], log: str = "log.txt") -> str:
    assert process.wait(timeout=300) == 0, (project / log).read_text()
    return (project / log).read_text()


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "RayTrainWorker" in " ".join(child.cmdline())
    ]


def points(project: Path) -> list[int]:
    """The steps at which MLflow has a value of D/adv, in order."""
    with sqlite3.connect(project / ".roigan/mlflow.db") as database:
        rows = database.execute("SELECT step FROM metrics WHERE key = 'D/adv' ORDER BY step")
        return [step for (step,) in rows]


EVERY_EPOCH = [3, 6, 9, 12, 15, 18, 21, 24]


def test_killed_worker_and_killed_driver_lose_at_most_an_epoch(project: Path) -> None:
    """A run whose worker and then whose driver is killed ends with the weights of an undisturbed one."""
    assert "epoch 8  step 24/24" in finish(project, start(project))
    assert points(project) == EVERY_EPOCH
    expected = load_file(project / "models/roigan/generator.safetensors")
    for folder in (".roigan", "models", "reports"):
        shutil.rmtree(project / folder)

    process = start(project)
    wait_for(project, "epoch 2 ", process)
    workers_of(process)[0].send_signal(signal.SIGKILL)
    wait_for(project, "lost worker", process)
    wait_for(project, "epoch 4 ", process)
    process.send_signal(signal.SIGKILL)  # and with it the whole local Ray
    process.wait()
    before = (project / "log.txt").read_text()
    after = finish(project, start(project, "again.txt"), "again.txt")

    assert "continuing at step" in after
    for epoch in range(1, 9):  # each disturbance repeats at most one epoch
        assert (before + after).count(f"epoch {epoch}  step") <= 3, before + after
    assert (before + after).count("  step ") <= 8 + 2
    assert sorted(set(points(project))) == EVERY_EPOCH
    assert pd.read_csv(project / "reports/history.csv")["step"].tolist() == EVERY_EPOCH
    weights = load_file(project / "models/roigan/generator.safetensors")
    assert all((weights[key] == expected[key]).all() for key in expected)
