"""ChromaGAN with and without its critic and its classes, beside rivals: the rows of docs/results/colour.csv.

    python -m benchmarks.colour FOLDER DATASET [--steps 800] [--seeds 2] [--beside NAME=MODEL ...]

FOLDER is a project whose stages `prepare`, `masks` and `features` have run with presets/chromagan64.yaml (and
with `features.classes: labels` where pictures have classes); DATASET is the name in the first column; MODEL a
folder of another model that generates colours. One run after the other, in this process on one core; models
stay in FOLDER/models/colour. Rows that are there already are not computed again; seeds come in the outer
loop, so that whatever is there is balanced.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.measuring import provenance
from roigan.config import Params, changed, load_params
from roigan.corruptions.cache import load_cache
from roigan.errors import UserError, exit_on_user_error
from roigan.evaluation.colouring import rivals
from roigan.evaluation.completion import measure
from roigan.evaluation.methods import Completer, generated
from roigan.features.network import load_features
from roigan.files import paths
from roigan.images.arrays import load_split, load_statistics
from roigan.systems.model import Model
from roigan.training.loop import train
from roigan.training.worker import Worker

RESULTS = Path("docs/results/colour.csv")
KEY = ["dataset", "system", "setting", "seed"]
METRICS = ["psnr", "psnr_ab", "colour", "js", "natural", "fid", "kid", "pids", "percep", "ssim", "diversity"]
NO_CLASSES, NO_CRITIC = {"losses.classes": 0.0}, {"losses.balance": 0.0}
SETTINGS: dict[str, dict[str, Any]] = {
    "balance 1": {"losses.balance": 1.0},
    "balance 1, no classes": {"losses.balance": 1.0, **NO_CLASSES},
    "no critic": NO_CRITIC,
    "no critic, no classes": {**NO_CRITIC, **NO_CLASSES},
    "balance 0.5": {},
    "balance 0.1": {"losses.balance": 0.1},
    "balance 2": {"losses.balance": 2.0},
}
"""What differs from the project's parameters."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("dataset")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS)[:4])
    parser.add_argument("--beside", nargs="*", default=[], metavar="NAME=MODEL")
    parser.add_argument("--limit", type=int, help="test images (default: all)")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    params = changed(load_params(asked.folder / "params.yaml"), {"train.num_workers": 0})
    exam = Exam(asked.folder, asked.dataset, params, asked.limit)
    exam.add("rival", rivals(load_split(asked.folder / paths.PREPARED, "train")))
    for name, model in (pair.split("=", 1) for pair in asked.beside):
        exam.add(name, {"": generated(Model.load(model))})
    for seed in range(asked.seeds):
        for setting in asked.settings:
            if exam.has("chromagan", setting, seed):
                continue
            changes = {**SETTINGS[setting], "train.steps": asked.steps, "train.seed": seed}
            folder = trained(asked.folder, changed(params, changes), f"{setting}-{seed}")
            exam.add("chromagan", {setting: generated(Model.load(folder))}, seed)


class Exam:
    """The test images of a project, and the table."""

    def __init__(self, folder: Path, dataset: str, params: Params, limit: int | None) -> None:
        self.dataset, self.params = dataset, params.evaluate.model_copy(update={"limit": limit})
        self.test = np.asarray(load_split(folder / paths.PREPARED, "test"))
        self.masks = {"grey": load_cache(folder / paths.MASKS / "grey.npz")}
        self.features = load_features(folder / paths.JUDGE)
        about = provenance(torch.device("cpu"))
        self.about = {
            "judge": f"{self.features.name} {self.features.sha256[:16]}",
            "data": load_statistics(folder / paths.PREPARED)["data"],
            **{name: about[name] for name in ("commit", "device")},
        }

    def has(self, system: str, setting: str, seed: int = 0) -> bool:
        """Whether a row is there."""
        if not RESULTS.is_file():
            return False
        keys = pd.read_csv(RESULTS, keep_default_na=False)[KEY].itertuples(index=False, name=None)
        return (self.dataset, system, setting, seed) in set(keys)

    def add(self, system: str, methods: Mapping[str, Completer], seed: int = 0) -> None:
        """Score methods, by the names of their settings, that are not in the table yet; with the first ones,
        real images as well."""
        new = {name: method for name, method in methods.items() if not self.has(system, name, seed)}
        if not new:
            return
        found = measure(new, self.test, self.masks, self.features, self.params, space="lab").table
        rows = [
            {
                "dataset": self.dataset,
                "system": "real" if row["method"] == "real" else system,
                "setting": "" if row["method"] == "real" else row["method"],
                "seed": 0 if row["method"] == "real" else seed,
                "n": row["n"],
                **{name: row[name] for name in METRICS},
                **self.about,
            }
            for row in found.to_dict("records")
            if row["method"] != "real" or not self.has("real", "")
        ]
        table = pd.DataFrame(rows)
        if RESULTS.is_file():
            table = pd.concat([pd.read_csv(RESULTS, keep_default_na=False, na_values=["nan"]), table])
        table.to_csv(RESULTS, index=False, float_format="%.5g", na_rep="nan")
        print(pd.DataFrame(rows).iloc[:, 1:12].to_string(index=False), file=sys.stderr, flush=True)


def trained(folder: Path, params: Params, name: str) -> Path:
    """The model folder of a training, which is made where it is missing."""
    model = folder / "models/colour" / name
    if not model.is_dir():
        with tempfile.TemporaryDirectory() as scratch:
            run = Path(scratch) / "run"
            failure = train(params, Worker(name, folder.resolve(), lambda row, path: None, run))
            if failure:
                raise UserError(f"{name}: {failure}")
            shutil.copytree(run / "model", model)
            shutil.copy(run / "history.csv", model)
    return model


if __name__ == "__main__":
    exit_on_user_error(main)
