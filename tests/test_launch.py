"""A real Ray group and a real MLflow store: two ranks, a worker killed, the driver killed."""

from __future__ import annotations

import signal
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

from tests.stage import EVERY_EPOCH, finish, points, start, steps_in, wait_for, workers_of

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def test_every_epoch_is_one_point_in_mlflow(undisturbed: Path) -> None:
    assert steps_in((undisturbed / "log.txt").read_text()) == EVERY_EPOCH
    assert points(undisturbed) == EVERY_EPOCH


def test_killed_worker_and_killed_driver_lose_at_most_an_epoch(two_workers: Path, undisturbed: Path) -> None:
    """A run whose worker and then whose driver is killed ends with the weights of an undisturbed one."""
    project = two_workers
    process = start(project)
    wait_for(project, "epoch 2 ", process)
    workers_of(process)[0].send_signal(signal.SIGKILL)
    wait_for(project, "lost worker", process)
    wait_for(project, "continuing at step", process)
    process.send_signal(signal.SIGKILL)  # and with it the whole local Ray
    process.wait()
    before = (project / "log.txt").read_text()
    after = finish(project, start(project, "again.txt"), "again.txt")

    assert "continuing at step" in after
    steps = steps_in(before + after)
    assert len(steps) <= len(EVERY_EPOCH) + 2  # each disturbance repeats at most one epoch
    assert sorted(set(points(project))) == EVERY_EPOCH
    assert pd.read_csv(project / "reports/history.csv")["step"].tolist() == EVERY_EPOCH
    expected = load_file(undisturbed / "models/roigan/generator.safetensors")
    weights = load_file(project / "models/roigan/generator.safetensors")
    assert all((weights[key] == expected[key]).all() for key in expected)
