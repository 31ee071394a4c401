"""Images per second of two workers against one, each on one core: the aim is 1.8 times as many.

A worker is a rank of the Ray Train group that users get, held to one thread. Each takes 8 images per step,
so the batch grows with the workers (weak scaling). The rates are those after the first epoch: starting up
does not count. Trained four times, by one, two, two and one: a machine that grows slower or faster meanwhile
slows both alike. Wants two quiet cores for some ten minutes; prepares its own images in a temporary folder.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

import pandas as pd
import torch

from benchmarks.measuring import finish
from benchmarks.workspace import lay_out
from roigan.config import Params, changed
from roigan.launch.storage import forget
from roigan.launch.training import launch

IMAGES = 640
EPOCHS = 3
SHARE = 8  # images per step and worker


def main() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"  # Ray would give all cores to a worker that is alone
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
        root = Path(folder)
        base = lay_out(root, {"data.limit": IMAGES})
        rates = [images_per_second(base, workers, root) for workers in (1, 2, 2, 1)]
    one, two = (rates[0] + rates[3]) / 2, (rates[1] + rates[2]) / 2
    finish(
        "scaling", round(two, 2), torch.device("cpu"), one_worker=round(one, 2), ratio=round(two / one, 3),
        each=[round(rate, 2) for rate in rates], batch_per_worker=SHARE, width=base.model.width,
    )  # fmt: skip


def images_per_second(base: Params, workers: int, root: Path) -> float:
    """Train a few epochs and take the time from the end of the first one to the end of the last."""
    batch = SHARE * workers
    params = changed(
        base,
        {
            "train.num_workers": workers, "train.batch_size": batch, "train.precision": "fp32",
            "train.steps": EPOCHS * (IMAGES // batch), "train.use_gpu": False, "train.max_failures": 0,
        },
    )  # fmt: skip
    name = f"scaling-{workers}"
    forget(name)
    history = pd.read_csv(launch(params, root, name, lambda row: None) / "history.csv")
    forget(name)
    return steady_rate(history, batch)


def steady_rate(history: pd.DataFrame, batch: int) -> float:
    """Images per second from the end of the first epoch to the end of the last, of a history.csv."""
    images = history["step"] * batch
    seconds = images / history["images_per_s"]  # the rates are means since the start
    return float((images.iloc[-1] - images.iloc[0]) / (seconds.iloc[-1] - seconds.iloc[0]))


if __name__ == "__main__":
    main()
