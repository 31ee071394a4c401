"""A long training on small data, with the memory of every process watched: what grows, and how fast.

    python -m benchmarks.soak [STEPS]       (6,000, where none is given)

The stage `train` as users get it: a Ray Train group of two, a checkpoint and a point in MLflow every ten
steps. Memory is what a process has to itself (USS), summed by role. The first fifth of the time is warming
up; growth is that of a straight line through the rest. Prepares its own images in a temporary folder.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import torch

from benchmarks.measuring import finish
from benchmarks.workspace import lay_out, start_train
from roigan.errors import UserError, exit_on_user_error

EVERY = 10  # steps from one checkpoint to the next
PAUSE = 5.0  # seconds between two looks
ROLES = {"RayTrainWorker": "worker", "TrainController": "controller", "raylet": "raylet", "gcs_server": "gcs"}


def main() -> None:
    if len(sys.argv) > 2 or not all(word.isdigit() for word in sys.argv[1:]):
        raise UserError("usage: python -m benchmarks.soak [STEPS]")
    steps = int(sys.argv[1]) if sys.argv[1:] else 6000
    setting = {
        "data.image_size": 32, "model.width": 0.125, "train.num_workers": 2, "train.batch_size": 8,
        "train.precision": "fp32", "train.use_gpu": False, "train.report_every": EVERY, "train.steps": steps,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder), setting)
        began = time.monotonic()
        memory = watch(Path(folder))
        seconds = time.monotonic() - began
        found, expected = points(Path(folder)), steps // EVERY
    if found != expected:
        raise UserError(f"MLflow has {found} points where there should be {expected}")
    memory = memory[memory["worker"] > 0.75 * memory["worker"].median()]  # not while workers come and go
    settled = memory[memory.index > memory.index[-1] / 5]
    hours = (settled.index - settled.index[0]) / 3600
    grown = {role: round(float(np.polyfit(hours, settled[role], 1)[0])) for role in settled}
    finish(
        "soak", round(steps / seconds, 2), torch.device("cpu"), steps=steps, minutes=round(seconds / 60, 1),
        checkpoints=found, mib_per_hour=grown, mib_settled=settled.iloc[0].round().astype(int).to_dict(),
        mib_end=settled.iloc[-1].round().astype(int).to_dict(),
    )  # fmt: skip


def watch(folder: Path) -> pd.DataFrame:
    """Run the stage; MiB by role, one row per look, by the seconds since the start."""
    rows, began = dict[float, dict[str, float]](), time.monotonic()
    with start_train(folder, sys.stderr) as stage:
        while stage.poll() is None:
            time.sleep(PAUSE)
            look = by_role(stage.pid)
            if look.get("worker"):
                rows[time.monotonic() - began] = look
    if stage.returncode:
        raise UserError(f"the stage `train` ended with {stage.returncode}")
    return pd.DataFrame.from_dict(rows, orient="index").fillna(0)


def by_role(pid: int) -> dict[str, float]:
    """MiB that the processes of a family have to themselves; those that end meanwhile have none."""
    memory: dict[str, float] = {}
    family = list[psutil.Process]()
    with suppress(psutil.NoSuchProcess):
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        with suppress(psutil.NoSuchProcess):
            words = " ".join(process.cmdline())
            role = next((role for mark, role in ROLES.items() if mark in words), "others")
            role = "driver" if process.pid == pid else role
            memory[role] = memory.get(role, 0) + process.memory_full_info().uss / 2**20
    return memory


def points(folder: Path) -> int:
    """How many points MLflow has of one of the terms."""
    with sqlite3.connect(folder / ".roigan/mlflow.db") as database:
        return int(database.execute("SELECT COUNT(*) FROM metrics WHERE key = 'D/adv'").fetchone()[0])


if __name__ == "__main__":
    exit_on_user_error(main)
