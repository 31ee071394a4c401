"""Pictures of conditional DCGAN's runs: fillings of digits, colourings of photographs, PSNR over FID.

    python -m benchmarks.conditional_figures mnist FOLDER
    python -m benchmarks.conditional_figures colour64 FOLDER

FOLDER is the one that `benchmarks.conditional` has left its models in; docs/images gets the pictures.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from benchmarks.conditional import BASE, KEY, OWN, PRESET, RESULTS, SWEEPS, Exam
from roigan.config import changed, load_params
from roigan.evaluation.methods import Completer, generated
from roigan.images.arrays import to_float
from roigan.images.grids import save_png
from roigan.report.figures import comparison
from roigan.systems.model import Model

IMAGES = Path("docs/images")
CHOSEN = {
    "mnist": (PRESET, 12, 5),
    "colour64": ("z loud", 8, 3),
}  # what is shown; images; z of each
RIVALS = ("nearest", "fmm", "ridge")
BLUE, ORANGE, GREEN = "#1f5f8b", "#b3541e", "#7a9a3a"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", choices=CHOSEN)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    sweep, models = SWEEPS[asked.dataset], asked.folder / "models"
    exam = Exam(asked.folder, changed(load_params(asked.folder / "params.yaml"), sweep.short))
    shown, images, draws = CHOSEN[asked.dataset]
    model = Model.load(models / f"{shown}, seed 0")
    rows = {name: rival for name, rival in exam.rivals().items() if name in RIVALS}
    rows |= {
        name: generated(Model.load(path))
        for name in ("L1 alone", "lam 0")
        if (path := models / f"{name}, seed 0").is_dir()
    }
    rows |= {f"{shown}, z {i}": drawn(model, i) for i in range(draws)}
    order = np.random.default_rng(1).permutation(len(exam.test))[:images]
    x = to_float(exam.test[np.sort(order)])
    picture = comparison(rows, x, exam.M.expand(len(x), -1, -1, -1), 0, space=exam.space)
    save_png(IMAGES / f"conditional-{asked.dataset}.png", picture)
    if asked.dataset == "mnist" and RESULTS.is_file():
        table = pd.read_csv(RESULTS)
        trade_off(table[table["dataset"] == "mnist"]).savefig(IMAGES / "conditional-trade-off.png", dpi=150)


def drawn(model: Model, seed: int) -> Completer:
    """The model with a z of its own number, the same for all images."""

    def fill(x: Tensor, M: Tensor, generator: torch.Generator) -> Tensor:
        z = model.latent(1, torch.Generator().manual_seed(seed)).expand(len(x), -1)
        return model.complete(x, M, z)

    return fill


def trade_off(table: pd.DataFrame) -> Figure:
    """PSNR over FID: by lam, by what is asked of the whole image beside lam 100, and rivals.

    table: rows of one data set of docs/results/conditional.csv; medians over seeds.
    """
    medians = table.groupby(KEY[1:3])[["fid", "psnr"]].median()
    figure = Figure(figsize=(5.6, 3.8), layout="constrained")
    panel = figure.subplots()
    own = medians.loc[OWN]
    sweeps = {
        "by lam": ([f"lam {lam:g}" for lam in (0, 1, 10, 100, 1000)], BLUE),
        "lam 100 and whole": ([BASE, "lam 100, whole 10", "lam 100, whole 100", "L1 alone"], ORANGE),
    }
    for label, (settings, colour) in sweeps.items():
        there = own.loc[[name for name in settings if name in own.index]]
        panel.plot(there["fid"], there["psnr"], color=colour, marker="o", linewidth=1, label=label)
        for name, point in there.drop(index=BASE if colour == ORANGE else []).iterrows():
            offset = (-14, -14) if name == BASE else (4, 4)
            panel.annotate(str(name), point.tolist(), offset, textcoords="offset points", fontsize=8)
    others = {"nearest": ("nearest", "8 rows"), PRESET: (OWN, PRESET)}
    for name, row in others.items():  # the mean digit, at an FID of 493, is far off
        if row in medians.index:
            panel.plot(*medians.loc[row], "s", color=GREEN)
            panel.annotate(name, medians.loc[row].tolist(), (4, 4), textcoords="offset points", fontsize=8)
    panel.set_xlabel("FID", fontsize=9)
    panel.set_ylabel("PSNR in dB", fontsize=9)
    panel.margins(x=0.15)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, fontsize=9)
    return figure


if __name__ == "__main__":
    main()
