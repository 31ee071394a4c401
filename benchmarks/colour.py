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
from roigan.errors import UserError, exit_on_user_error
from roigan.evaluation.colouring import rivals
from roigan.evaluation.completion import NATURAL
from roigan.evaluation.methods import Completer, generated, real
from roigan.evaluation.metrics import colour
from roigan.evaluation.metrics.pixels import psnr
from roigan.features.natural import load_natural
from roigan.files import paths
from roigan.images.arrays import load_split, load_statistics, to_float, to_uint8
from roigan.images.grids import save_png
from roigan.report.figures import comparison
from roigan.systems.model import Model
from roigan.training.loop import train
from roigan.training.worker import Worker

RESULTS = Path("docs/results/colour.csv")
KEY = ["dataset", "system", "setting", "seed"]
SHOWN = 10  # images in a picture
AT_ONCE = 100  # images coloured at a time
NO_CLASSES, NO_CRITIC = {"losses.classes": 0.0}, {"losses.balance": 0.0}
SETTINGS: dict[str, dict[str, Any]] = {
    "balance 1": {"losses.balance": 1.0},
    "balance 1, no classes": {"losses.balance": 1.0, **NO_CLASSES},
    "no critic": NO_CRITIC,
    "no critic, no classes": {**NO_CRITIC, **NO_CLASSES},
    "balance 0.5": {},
    "balance 0.02": {"losses.balance": 0.02},
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
    parser.add_argument("--picture", type=Path, help="draw the first of the settings beside its rivals")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    params = changed(load_params(asked.folder / "params.yaml"), {"train.num_workers": 0})
    exam = Exam(asked.folder, asked.dataset, asked.limit)
    untrained = rivals(load_split(asked.folder / paths.PREPARED, "train"))
    exam.add("rival", untrained)
    others = dict(pair.split("=", 1) for pair in asked.beside)
    beside = {name: generated(Model.load(model)) for name, model in others.items()}
    for name, method in beside.items():
        exam.add(name, {"": method})
    for seed in range(asked.seeds):
        for setting in asked.settings:
            if exam.has("chromagan", setting, seed):
                continue
            changes = {**SETTINGS[setting], "train.steps": asked.steps, "train.seed": seed}
            folder = trained(asked.folder, changed(params, changes), f"{setting}-{seed}")
            exam.add("chromagan", {setting: generated(Model.load(folder))}, seed)
    if asked.picture:
        first = Model.load(asked.folder / "models/colour" / f"{asked.settings[0]}-0")
        shown = {name: untrained[name] for name in ("ridge", "nearest", "welsh")}
        save_png(asked.picture, exam.drawn({**shown, **beside, "ChromaGAN": generated(first)}))


class Exam:
    """The test images of a project, and the table."""

    def __init__(self, folder: Path, dataset: str, limit: int | None) -> None:
        self.dataset, self.test = dataset, np.asarray(load_split(folder / paths.PREPARED, "test"))[:limit]
        self.x = to_float(self.test)  # [N, 3, S, S]
        self.colourfulness, self.histogram = colour.colourfulness(self.x).mean(), colour.histogram(self.x)
        self.judge = load_natural(folder / paths.JUDGE)
        self.threshold = self.judge.threshold(self.test, NATURAL) if self.judge else 0.0
        about = provenance(torch.device("cpu"))
        self.about = {"n": len(self.x), "data": load_statistics(folder / paths.PREPARED)["data"]}
        self.about |= {name: about[name] for name in ("commit", "device")}
        self.add("real", {"": real})

    def drawn(self, methods: Mapping[str, Completer]) -> np.ndarray:
        """Some test images, their lightness, and what the methods make of it: uint8 [H, W, 3]."""
        x = to_float(self.test[np.linspace(0, len(self.test) - 1, SHOWN).astype(int)])
        return comparison(methods, x, torch.ones_like(x[:, :1]), 0, space="lab")

    def has(self, system: str, setting: str, seed: int = 0) -> bool:
        """Whether a row is there."""
        if not RESULTS.is_file():
            return False
        keys = read()[KEY].itertuples(index=False, name=None)
        return (self.dataset, system, setting, seed) in set(keys)

    def add(self, system: str, methods: Mapping[str, Completer], seed: int = 0) -> None:
        """Score methods, by the names of their settings, that are not in the table yet."""
        for setting, method in methods.items():
            if self.has(system, setting, seed):
                continue
            key = dict(zip(KEY, (self.dataset, system, setting, seed), strict=True))
            row = pd.DataFrame([{**key, **self.scores(method), **self.about}])
            table = pd.concat([read(), row]) if RESULTS.is_file() else row
            table.to_csv(RESULTS, index=False, float_format="%.5g", na_rep="nan")
            print(row.iloc[0, 1:9].to_dict(), file=sys.stderr, flush=True)

    @torch.no_grad()
    def scores(self, method: Completer) -> dict[str, float]:
        """The metrics that need no features, after rounding to 8 bits."""
        parts, generator = [], torch.Generator().manual_seed(0)
        for x in self.x.split(AT_ONCE):
            parts.append(to_float(to_uint8(method(x, torch.ones_like(x[:, :1]), generator))))
        y = torch.cat(parts)
        natural = [(self.judge(part) >= self.threshold).float() for part in parts] if self.judge else []
        return {
            "psnr": psnr(y, self.x).mean().item(),
            "psnr_ab": colour.psnr_ab(y, self.x).mean().item(),
            "colour": (colour.colourfulness(y).mean() / self.colourfulness).item(),
            "js": colour.js(colour.histogram(y), self.histogram),
            "natural": torch.cat(natural).mean().item() if natural else float("nan"),
        }


def read() -> pd.DataFrame:
    """The table; a setting may be empty."""
    return pd.read_csv(RESULTS, keep_default_na=False, na_values=["nan"])


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
