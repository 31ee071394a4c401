"""The search on a real Ray: interrupted and started again, with a trial that goes NaN; its runs in MLflow."""

from __future__ import annotations

import os
import re
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

from benchmarks.workspace import write
from roigan.config import load_params
from roigan.launch.cluster import cores
from tests.conftest import Small

pytestmark = [pytest.mark.ray, pytest.mark.slow]


SEARCH = {
    "trials": 1, "steps": 12, "report_every": 3, "method": "random", "scheduler": "none", "images": 10,
    "cpus": cores(),
    "space": {"losses.fm": {"grid": [0.5, 1.0]}, "train.lr_g": {"grid": [5e-3, 1e30]}},
    "objectives": [{"metric": "fid", "mask": "ellipse"}, {"metric": "border", "mask": "ellipse"}],
}  # fmt: skip


@pytest.fixture
def project(prepared: Path, database: Path, small: Small, tmp_path: Path) -> Path:
    """A prepared project that searches a weight and a learning rate, one of whose values cannot work.

    A trial takes all cores, so that the others wait while the first one ends.
    """
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    (tmp_path / ".roigan").mkdir()
    shutil.copy(database, tmp_path / ".roigan/mlflow.db")
    write(tmp_path, small(tune=SEARCH))
    return tmp_path


def begin(project: Path) -> subprocess.Popen[str]:
    path = str(Path(__file__).parent.parent)
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    environment["TUNE_GLOBAL_CHECKPOINT_S"] = "0.2"  # an end is on disk while other trials wait
    command = [sys.executable, "-m", "pipelines.tune"]
    return subprocess.Popen(command, cwd=project, env=environment, text=True, stdout=subprocess.PIPE)


def runs(project: Path) -> pd.DataFrame:
    """Name and status of every run in the store, and whether it is another one's child."""
    with sqlite3.connect(project / ".roigan/mlflow.db") as opened:
        return pd.read_sql(
            "SELECT name, status, EXISTS (SELECT 1 FROM tags WHERE run_uuid = runs.run_uuid"
            " AND key = 'mlflow.parentRunId') AS child FROM runs ORDER BY name",
            opened,
        )


def ended_on_disk(project: Path) -> bool:
    """Whether a search that is killed now knows of a trial that has ended."""
    states = project.glob(".roigan/searches/search-*/experiment_state-*.json")
    return any("TERMINATED" in state.read_text() for state in states)


def kill(process: subprocess.Popen[str]) -> None:
    """The driver alone, without warning; Ray's processes notice by themselves."""
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    psutil.wait_procs(family, timeout=60)


def wait_for_the_first_trial(process: subprocess.Popen[str], project: Path) -> None:
    assert process.stdout
    while not ended_on_disk(project):
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.1)


@pytest.mark.long
def test_a_search_goes_on_after_ctrl_c_and_after_a_kill(project: Path) -> None:
    """And no trial that had ended is run twice."""
    first = begin(project)
    wait_for_the_first_trial(first, project)
    first.send_signal(signal.SIGINT)
    out, _ = first.communicate(timeout=120)
    assert first.returncode == 130, out
    assert "interrupted; the same command goes on from the last measurements" in out
    assert not (project / "tuning").exists()
    before = runs(project)
    assert before[before["child"] == 0]["status"].tolist() == ["FAILED"]
    ended = before[before["status"] == "FINISHED"]["name"]
    assert len(ended) >= 1

    second = begin(project)
    assert second.stdout
    early = []
    for line in second.stdout:
        early.append(line)
        if re.search(r"  step \d+/12", line):  # a trial that goes on begins behind 3
            break
    else:
        pytest.fail("the search ended before it was killed:\n" + "".join(early))
    kill(second)

    third = begin(project)
    out, _ = third.communicate(timeout=1200)
    assert third.returncode == 0, out
    after = runs(project)
    children = after[after["child"] == 1]
    assert sorted(children["name"]) == ["trial 1", "trial 2", "trial 3", "trial 4"]
    assert sorted(children["status"]) == ["FAILED", "FAILED", "FINISHED", "FINISHED"]
    assert after[after["child"] == 0]["status"].tolist() == ["FINISHED"]
    for name in ended:  # nothing was trained again
        assert f"{name}  step 3/12" not in "".join(early) + out
    assert "became nan" in "".join(early) + out
    with sqlite3.connect(project / ".roigan/mlflow.db") as opened:
        points = pd.read_sql("SELECT run_uuid, step FROM metrics WHERE key = 'fid_ellipse'", opened)
    assert points.groupby("run_uuid")["step"].apply(sorted).tolist() == [[3, 6, 9, 12]] * 2

    trials = pd.read_parquet(project / "tuning/trials.parquet")
    assert sorted(trials["state"]) == ["ended", "ended", "failed", "failed"]
    assert trials[trials["state"] == "ended"]["step"].tolist() == [12, 12]
    assert set(trials[trials["state"] == "failed"]["train.lr_g"]) == {1e30}
    best = yaml.safe_load((project / "tuning/best.yaml").read_text())
    assert best["train"]["lr_g"] == 5e-3
    assert (project / "tuning/figures/pareto.png").is_file()
    assert not list((project / ".roigan/searches").iterdir())  # what is stored needs no checkpoints
    assert load_params(project / "params.yaml").tune.applied is None


def test_a_population_lives_on_inside_its_domains(project: Path, small: Small) -> None:
    domains = {
        "train.ema": {"uniform": [0.95, 0.999]},
        "penalty.region": {"choice": ["inside", "outside", "everywhere"]},
    }
    write(project, small(tune=SEARCH | {"trials": 4, "cpus": 1, "scheduler": "pbt", "space": domains}))
    process = begin(project)
    out, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, out
    trials = pd.read_parquet(project / "tuning/trials.parquet")
    assert trials["state"].tolist() == ["ended"] * 4
    assert trials["step"].tolist() == [12] * 4
    assert trials["train.ema"].between(0.95, 0.999).all()
    assert (project / "tuning/best.yaml").is_file()
