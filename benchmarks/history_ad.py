"""HistoryAD beside its rivals, and with one change at a time: a table per project folder, in one CSV file.

    python -m benchmarks.history_ad docs/results/history-ad.csv FOLDER... [--only NAME...] [--rivals NAME...]

A folder is a project after the stage `prior` of a preset like presets/history-mnist.yaml: params.yaml,
data/prepared, data/features, data/judge, models/prior. Rows of the same folder, seed and method are replaced.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from roigan.config import Params, changed, load_params
from roigan.evaluation import detection, foreign
from roigan.evaluation.detectors import Detector, without_training
from roigan.files import paths
from roigan.images.arrays import load_split
from roigan.systems.model import Model
from roigan.training.loop import train
from roigan.training.worker import Worker

OWN = "history_ad"
REMEMBERING: dict[str, Any] = {
    "model.begin": "random", "model.centre": "none", "model.memory": 20_000, "model.past.near": 0.5,
    "losses.kind": "log", "train.steps": 600, "train.lr_d": 1e-3,
}  # fmt: skip
VARIANTS: dict[str, dict[str, Any]] = {
    OWN: {},
    "log": {"losses.kind": "log"},
    "far 0.1": {"model.past.far": 0.1},
    "not centred": {"model.centre": "none"},
    "begun at the last critic": {"model.begin": "last"},
    "begun at random": {"model.begin": "random"},
    "100 steps": {"train.steps": 100},
    "1000 steps": {"train.steps": 1000},
    "bound 1": {"losses.bound": 1.0},
    "bound 100": {"losses.bound": 100.0},
    "b -3": {"model.past.decay": -3.0},
    "b 0": {"model.past.decay": 0.0},
    "b 10": {"model.past.decay": 10.0},
    "a 0.25": {"model.past.start": 0.25},
    "remembering": REMEMBERING,
    "remembering, nothing near": REMEMBERING | {"model.past.near": 0.0},
    "remembering, hardly any past": REMEMBERING | {"model.past.near": 0.99},
    "remembering, begun at the mean": REMEMBERING | {"model.begin": "mean", "model.centre": "affine"},
    "its last layer": REMEMBERING | {"model.memory": 0},
}
MADE = 300  # images of the sets that are made of test images
KEY = ["project", "seed", "method", "mask"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--only", nargs="+", default=[OWN, "log", "far 0.1"], choices=VARIANTS)
    parser.add_argument("--rivals", nargs="+", help="of the table; all where it is left out, in minutes")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    for folder in arguments.folders:
        with chdir(folder):
            rows = measured(load_params(), arguments.only, arguments.rivals)
        rows.insert(0, "project", folder.name)
        write(rows, out)
        shown = rows[rows["mask"] == rows["mask"].iloc[0]]
        print(shown[["project", "method", "mask", "ap", "auroc"]].to_string(index=False), flush=True)


def measured(params: Params, names: list[str], wanted: list[str] | None = None) -> pd.DataFrame:
    """The variants and the rivals, all or the wanted ones, on every set, in the project that is the current
    folder."""
    splits = {split: np.asarray(load_split(paths.PREPARED, split)) for split in ("train", "test")}
    most = {"model.memory": min(REMEMBERING["model.memory"], len(splits["train"]))}
    changes = {name: VARIANTS[name] | (most if VARIANTS[name].get("model.memory") else {}) for name in names}
    models = {name: trained(changed(params, values)) for name, values in changes.items()}
    first = models[names[0]]
    rivals: dict[str, Detector] = without_training(splits["train"], params.evaluate.seed)
    rivals |= detection.of_the_past(params, first)
    rivals = {name: rival for name, rival in rivals.items() if wanted is None or name in wanted}
    rivals |= {name: detection.own(params, model) for name, model in models.items()}
    sets = {name: np.asarray(images)[:1000] for name, images in foreign.packed(paths.PREPARED).items()}
    made = foreign.made(splits["test"], params.evaluate.seed)
    sets |= {name: images[:MADE] for name, images in made.items()}
    table = detection.measure(rivals, splits["test"], sets, params.evaluate, names[0]).table
    return table.assign(seed=params.train.seed, lead_of=names[0])


def trained(params: Params) -> Model:
    """A detector on the prior of the current folder."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "checkpoint"
        failure = train(params, Worker("trial", Path.cwd(), lambda row, kept: None, folder))
        assert failure is None, failure
        return Model.load(folder / "model")


def write(rows: pd.DataFrame, out: Path) -> None:
    """Add rows to a CSV file; those with the same key give way."""
    if out.is_file():
        old = pd.read_csv(out)
        rows = pd.concat([old, rows]).drop_duplicates(KEY, keep="last")
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_suffix(".unfinished")
    rows.to_csv(beside, index=False, float_format="%.4g")
    os.replace(beside, out)


if __name__ == "__main__":
    main()
