"""The sweep over lam: MSE at known pixels and FID beside `cgan` and `gan` (Ruffino et al. 2019).

    python -m benchmarks.pixelwise mnist FOLDER          # the smaller grid, about two minutes a run
    python -m benchmarks.pixelwise mnist FOLDER --full   # nearer to the paper's: for a GPU

FOLDER is a project whose stages `prepare` and `features` have run with presets/pixelwise-mnist.yaml (or with
pixelwise-fashion, for `fashion`); the smaller grid wants data.limit 10000. One run after the other, in this
process on one core. Rows that are in docs/results/pixelwise.csv are not computed again; seeds come in the
outer loop, so that whatever is there is balanced. The figures are drawn anew from all rows.

As in the paper a fifth of every split lends its known pixels and the rest are the real images; the best epoch
is that of the smallest sqrt(FID^2 + MSE^2) on val, and its scores on test are recorded.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from benchmarks.measuring import device, provenance
from benchmarks.pixelwise_figures import curves, trade_off
from roigan.config import Params, changed, load_params
from roigan.corruptions.sampling import sample
from roigan.evaluation.methods import whole
from roigan.evaluation.metrics import constraints, fid
from roigan.features.network import FeatureNetwork, load_features
from roigan.files import paths
from roigan.images.arrays import load_split, load_statistics, to_float, to_uint8
from roigan.images.blending import complete
from roigan.images.grids import save_png
from roigan.report.figures import comparison
from roigan.systems.model import Model
from roigan.training.loop import train
from roigan.training.worker import Worker

RESULTS, IMAGES = Path("docs/results/pixelwise.csv"), Path("docs/images")
KEY = ["dataset", "grid", "system", "lam", "seed"]
SHOWN = 12  # images in figure 4
COST = 1.1  # the chosen lam may have this much of CGAN's FID


class Grid(NamedTuple):
    """What is swept, and what is trained each time."""

    lams: list[float]
    seeds: int
    changes: dict[str, Any]


GRIDS = {
    # five epochs of the 8,000 images that D sees
    "small": Grid(
        np.logspace(-4, 2, 7).tolist(),
        5,
        {"model.width": 0.25, "train.steps": 1250, "train.batch_size": 32},
    ),
    # twenty epochs of 43,200, as in the presets
    "full": Grid(np.logspace(-4, 2, 13).tolist(), 10, {}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", choices=["mnist", "fashion"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--full", action="store_true")
    asked = parser.parse_args()
    grid = "full" if asked.full else "small"
    torch.set_num_threads(1)
    sweep(asked.dataset, asked.folder, grid)
    table = pd.read_csv(RESULTS)
    IMAGES.mkdir(parents=True, exist_ok=True)
    mine = table[table["grid"] == grid]
    curves(mine).savefig(IMAGES / "pixelwise-lam.png", dpi=150)
    trade_off(mine).savefig(IMAGES / "pixelwise-trade-off.png", dpi=150)
    lam = chosen(mine[mine["dataset"] == asked.dataset])
    models = {
        name: whole(Model.load(kept(asked.folder, grid, system, value)))
        for name, system, value in (("CGAN", "cgan", 0.0), (f"lam = {lam:g}", "pixelwise", lam))
    }
    test = Exam(asked.folder, "test", load_params(asked.folder / "params.yaml"))
    picture = comparison({}, test.x[:SHOWN], test.M[:SHOWN], 0, models)
    save_png(IMAGES / f"pixelwise-{asked.dataset}.png", picture)


def sweep(dataset: str, folder: Path, grid: str) -> None:
    """Append a row per run that is not there yet."""
    base = changed(load_params(folder / "params.yaml"), GRIDS[grid].changes)
    base = changed(base, {"train.num_workers": 0, "train.precision": "fp32"})
    features = load_features(folder / paths.FEATURES).to(device())
    exams = {split: Exam(folder, split, base, features) for split in ("val", "test")}
    about = {**provenance(device()), "data": load_statistics(folder / paths.PREPARED)["data"]}
    references = [("gan", 0.0), ("cgan", 0.0)]
    for seed in range(GRIDS[grid].seeds):
        for system, lam in [*references, *(("pixelwise", lam) for lam in GRIDS[grid].lams)]:
            table = pd.read_csv(RESULTS) if RESULTS.is_file() else pd.DataFrame(columns=KEY)
            key = (dataset, grid, system, round(lam, 8), seed)
            if key in set(table[KEY].round({"lam": 8}).itertuples(index=False, name=None)):
                continue
            told = {"model.condition": system != "gan", "losses.lam": lam}
            params = changed(base, {**told, "train.seed": seed})
            best = run(params, folder, exams, kept(folder, grid, system, lam) if seed == 0 else None)
            row = pd.DataFrame([{**dict(zip(KEY, key, strict=True)), **best, **about}])
            RESULTS.parent.mkdir(parents=True, exist_ok=True)
            table = pd.concat([table, row]) if len(table) else row
            table.to_csv(RESULTS, index=False, float_format="%.6g")
            print(row.iloc[0, : len(KEY) + 8].to_dict(), file=sys.stderr, flush=True)


def kept(folder: Path, grid: str, system: str, lam: float) -> Path:
    """Where the best model of the first seed stays."""
    return folder / "models" / grid / f"{system}-{lam:g}"


class Exam:
    """A split: the last images lend their known pixels, the others are the real ones."""

    def __init__(self, folder: Path, split: str, params: Params, features: FeatureNetwork | None = None):
        images = np.asarray(load_split(folder / paths.PREPARED, split))
        real = len(images) - round(params.train.constraints * len(images))
        self.x = to_float(images[real:])  # [N, C, S, S]
        generator = torch.Generator().manual_seed(0)
        share = params.masks.known_share
        self.M = sample("scattered", len(self.x), params.data.image_size, generator, share)
        self.features = features
        if features:
            self.real = fid.statistics(features.embed_images(images[:real]))

    def scores(self, model: Model) -> dict[str, float]:
        """MSE and satisfied constraints of the whole generated images, and FID; that of the completed ones,
        too, whose known pixels are exact."""
        G = whole(model)(self.x, self.M, torch.Generator().manual_seed(0))
        return {
            "mse": constraints.mse(G, self.x, self.M).mean().item(),
            "fid": self._fid(G),
            "satisfied": constraints.satisfied(G, self.x, self.M).mean().item(),
            "fid_exact": self._fid(complete(self.x, G, self.M)),
        }

    def _fid(self, images: torch.Tensor) -> float:
        assert self.features
        return fid.distance(fid.statistics(self.features.embed_images(to_uint8(images))), self.real)


def run(params: Params, folder: Path, exams: dict[str, Exam], keep: Path | None) -> dict[str, Any]:
    """Train; the scores on test at the best epoch, and those on val that made it the best."""
    best: dict[str, Any] = {"epoch": 0, "score": math.inf}

    def look(row: dict[str, Any], checkpoint: Path | None) -> None:
        assert checkpoint
        val = exams["val"].scores(Model.load(checkpoint / "model").to(device()))
        score = math.hypot(val["fid"], val["mse"])
        if score < best["score"]:
            best.update(epoch=row["epoch"], score=score, val_mse=val["mse"], val_fid=val["fid"])
            shutil.copytree(checkpoint / "model", scratch / "best", dirs_exist_ok=True)

    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        worker = Worker("sweep", folder.resolve(), look, scratch / "run", device=device())
        failure = train(params, worker)
        if failure:
            print(failure, file=sys.stderr)
        if not best["epoch"]:
            return {"mse": math.nan, "fid": math.nan}
        if keep:
            shutil.copytree(scratch / "best", keep, dirs_exist_ok=True)
        return exams["test"].scores(Model.load(scratch / "best").to(device())) | best


def chosen(table: pd.DataFrame) -> float:
    """The lam of the smallest median MSE among those whose median FID is near CGAN's; both on val."""
    medians = table.groupby(["system", "lam"])[["val_mse", "val_fid"]].median()
    lams = medians.loc["pixelwise"]
    near = lams[lams["val_fid"] <= COST * medians.loc[("cgan", 0.0), "val_fid"]]
    return float((near if len(near) else lams)["val_mse"].idxmin())


if __name__ == "__main__":
    main()
