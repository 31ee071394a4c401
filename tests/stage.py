"""The stage `train` as a process of its own, which tests watch, kill and start again."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import time
from pathlib import Path

import psutil

from benchmarks.workspace import start_train

EVERY_EPOCH = list(range(3, 49, 3))  # the steps of `two_workers`


def start(project: Path, log: str = "log.txt", **environment: str) -> subprocess.Popen[bytes]:
    """The stage `train` as DVC starts it."""
    ours = {"PYTHONUNBUFFERED": "1", "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2"}
    with (project / log).open("wb") as output:
        return start_train(project, output, **ours | environment)


def wait_for(project: Path, text: str, process: subprocess.Popen[bytes], log: str = "log.txt") -> None:
    """Until the log holds `text`; fails when the process ends first or after twenty minutes."""
    for _ in range(6000):
        if text in (project / log).read_text():
            return
        assert process.poll() is None, (project / log).read_text()
        time.sleep(0.2)
    raise AssertionError(f"{text!r} did not appear:\n" + (project / log).read_text())


def finish(project: Path, process: subprocess.Popen[bytes], log: str = "log.txt") -> str:
    assert process.wait(timeout=1200) == 0, (project / log).read_text()
    return (project / log).read_text()


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The ranks of a training among the offspring of a process."""
    return [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "RayTrainWorker" in " ".join(child.cmdline())
    ]


def steps_in(log: str) -> list[int]:
    """The steps after which a log shows that an epoch ended, in order."""
    return [int(step) for step in re.findall(r"^epoch \d+  step (\d+)/", log, re.MULTILINE)]


def points(project: Path) -> list[int]:
    """The steps at which MLflow has a value of D/adv, in order."""
    with sqlite3.connect(project / ".roigan/mlflow.db") as database:
        rows = database.execute("SELECT step FROM metrics WHERE key = 'D/adv' ORDER BY step")
        return [step for (step,) in rows]
