"""Conditional DCGAN's claims (Prach 2018): short trainings beside trivial rivals, one row each.

    python -m benchmarks.conditional mnist FOLDER      # conditional-mnist, seventeen runs a seed
    python -m benchmarks.conditional faces64 FOLDER    # conditional-faces64
    python -m benchmarks.conditional colour64 FOLDER   # essay-colour64

FOLDER is a project whose stages `prepare` and `features` have run with that preset. One run after the other,
in this process on one core; models stay in FOLDER/models and are neither trained nor scored again; seeds come
in the outer loop. With --train nothing is scored yet: the same command without it does so.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmarks.conditional_labels import FILLINGS, Labels
from benchmarks.measuring import provenance
from roigan.config import Params, changed, load_params
from roigan.corruptions.corruption import Corruption
from roigan.corruptions.sampling import sample
from roigan.evaluation import colouring
from roigan.evaluation.completion import measure
from roigan.evaluation.methods import (
    Completer,
    fast_marching,
    filled_by,
    generated,
    mean_image,
    nearest,
    whole,
)  # fmt: skip
from roigan.evaluation.metrics import fid
from roigan.features.network import FeatureNetwork, load_features
from roigan.files import paths
from roigan.images.arrays import load_split, load_statistics, to_float, to_uint8
from roigan.losses.reconstruction import known_l1
from roigan.systems.model import Model
from roigan.training.loop import train
from roigan.training.worker import Worker

RESULTS = Path("docs/results/conditional.csv")
KEY = ["dataset", "system", "setting", "seed"]
METRICS = ["n", "fid", "kid", "pids", "l1", "psnr", "border", "chroma", "sharpness", "diversity"]
COLOURS = ["psnr_ab", "colour", "js"]  # where colours alone are generated
OWN = "conditional_dcgan"
HISTORY = "history.csv"
LOOKS, LOOKED = 4, 300  # over a training, and images in each, for what becomes of FID
L1 = {"losses.adv": 0.0, "losses.lam": 0.0, "losses.whole": 1.0}
LONG = {"model.width": 0.5, "train.steps": 3000}
BASE, PRESET, LOUD = "lam 100", "preset", "z loud"
VARIED = (BASE, PRESET, LOUD)  # with their first seed they are used in other ways as well


def rows(known: int, size: int) -> dict[str, Any]:
    """So many rows known."""
    return {"model.known_rows": known, "masks.known_share": known / size}


class Sweep(NamedTuple):
    """What is trained on a data set, and for how long."""

    seeds: int
    limit: int
    """Test images."""
    short: dict[str, Any]
    settings: dict[str, dict[str, Any]]


SWEEPS = {
    "mnist": Sweep(
        3, 600,
        {"model.width": 0.25, "model.noise_scale": 1.0, "train.steps": 1000},
        {
            BASE: {},
            PRESET: LONG | {"model.noise_scale": 4.0},
            "preset, z once as loud": LONG,
            "L1 alone": L1,
            **{f"lam {lam:g}": {"losses.lam": lam} for lam in (0.0, 1.0, 10.0, 1000.0)},
            **{f"lam 100, whole {w:g}": {"losses.whole": w} for w in (10.0, 100.0)},
            LOUD: {"model.noise_scale": 4.0},  # 0.92 of the variance that the dense layer hears
            "z quiet": {"model.noise_scale": 0.2},  # 0.03 of the variance: as beside 24 rows of a face
            "4 rows": rows(4, 28),
            "forced": {"model.forced": True},
            "any mask": {"model.known_rows": None},
            "turns 1": {"train.turns_g": 1},
            "lam 50": {"losses.lam": 50.0},
            "z 1000": {"model.noise": 1000},
            "13 rows": rows(13, 28),
        },
    ),
    "faces64": Sweep(
        1, 300, {"model.noise_scale": 1.0, "model.blend": "none"},
        {
            BASE: {},
            LOUD: {"model.noise_scale": 8.7},  # 0.7 of the variance, as with z 4000 and 12 rows
            "L1 alone": L1 | {"train.steps": 1000},
            "z 4000, 12 rows": {"model.noise": 4000, **rows(12, 64)},
            "12 rows": rows(12, 64),
            "forced": {"model.forced": True},
        },
    ),
    "colour64": Sweep(
        1, 300, {"model.noise_scale": 1.0},
        {BASE: {}, LOUD: {"model.noise_scale": 8.7}, "L1 alone": L1 | {"train.steps": 1000}},
    ),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", choices=SWEEPS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", action="store_true", help="score nothing yet")
    parser.add_argument("--seeds", type=int, help="in the place of the sweep's number")
    parser.add_argument("--only", nargs="+", metavar="SETTING", help="in the place of all")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    sweep, folder = SWEEPS[asked.dataset], asked.folder
    base = changed(load_params(folder / "params.yaml"), sweep.short)
    base = changed(base, {"train.num_workers": 0, "evaluate.limit": sweep.limit})
    about = {**provenance(torch.device("cpu")), "data": load_statistics(folder / paths.PREPARED)["data"]}
    exams: dict[str, Exam] = {}
    for seed in range(asked.seeds or sweep.seeds):
        for setting in asked.only or sweep.settings:
            params = changed(base, {**sweep.settings[setting], "train.seed": seed})
            region = f"{params.masks.known_rows(params.data.image_size)} rows"
            model = folder / "models" / f"{setting}, seed {seed}"
            if not (model / HISTORY).is_file():
                train_once(params, folder, model)
            if asked.train or (asked.dataset, OWN, setting, seed) in measured():
                continue
            if region not in exams:
                exams[region] = Exam(folder, params)
            key = {"dataset": asked.dataset, "setting": setting, "seed": seed}
            store(
                [
                    {**key, **row, **about}
                    for row in scored(exams[region], model, setting in VARIED and seed == 0)
                ]
            )
            if (asked.dataset, "mean", region, 0) not in measured():
                exam = exams[region]
                rivals = exam.scores(exam.rivals()) + exam.label_rivals()
                store([{**key, "setting": region, **row, **about} for row in rivals])


def measured() -> set[tuple[Any, ...]]:
    """The keys of the rows that are there."""
    if not RESULTS.is_file():
        return set()
    return set(pd.read_csv(RESULTS)[KEY].itertuples(index=False, name=None))


def store(found: list[dict[str, Any]]) -> None:
    """Append rows."""
    new = pd.DataFrame(found)
    new = new[[*KEY, *(name for name in new if name not in KEY)]]
    table = pd.concat([pd.read_csv(RESULTS), new]) if RESULTS.is_file() else new
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(RESULTS, index=False, float_format="%.5g")
    print(new.iloc[:, : 4 + len(METRICS)].to_string(index=False), file=sys.stderr, flush=True)


def region_of(params: Params) -> Tensor:
    """M [1, 1, S, S], the same for all images."""
    (family,) = params.masks.evaluate
    size, share = params.data.image_size, params.masks.known_share
    return sample(family, 1, size, torch.Generator().manual_seed(0), share)


class Exam:
    """The test images under one mask, the same for all settings that leave the same."""

    def __init__(self, folder: Path, params: Params) -> None:
        self.folder, self.params, prepared = folder, params, folder / paths.PREPARED
        self.train, self.test = (np.asarray(load_split(prepared, split)) for split in ("train", "test"))
        (self.family,) = params.masks.evaluate
        size, self.M = params.data.image_size, region_of(params)
        self.space = params.model.coordinates
        self.blends = self.space == "identity" and size & (size - 1) == 0  # the membrane halves the side
        self.judge = load_features(folder / paths.JUDGE)

    @cached_property
    def labels(self) -> Labels | None:
        """What is known of labels, where there are any."""
        return Labels(self.folder, self.M) if self.params.data.source == "mnist" else None

    def scores(self, completions: Mapping[str, Completer]) -> list[dict[str, Any]]:
        """A row per method, and one of real images."""
        table = measure(
            completions, self.test, {self.family: self.M}, self.judge, self.params.evaluate, space=self.space
        ).table
        rows = [
            {"system": row["method"], **{m: row[m] for m in [*METRICS, *COLOURS] if m in row}}
            for _, row in table.iterrows()
        ]
        for row in rows:
            if self.labels and row["system"] in completions and not row["system"].startswith("best"):
                row |= self.labels.scores(completions[row["system"]], FILLINGS if row["system"] == OWN else 1)
        return rows

    def rivals(self) -> dict[str, Completer]:
        """What needs no network."""
        if self.space != "identity":
            return colouring.rivals(self.train)
        mean = mean_image(self.train)
        rivals = {"mean": filled_by(mean), "nearest": nearest(self.train), "fmm": fast_marching(3)}
        if self.blends:
            rivals["mean, membrane"] = filled_by(mean, "membrane")
        return rivals

    def label_rivals(self) -> list[dict[str, Any]]:
        """What needs no picture."""
        return [{"system": name, **row} for name, row in self.labels.rivals().items()] if self.labels else []

    def known(self, model: Model) -> float:
        """|A(G) - x'|, a mean over known coordinates."""
        x = to_float(self.test[:LOOKED])
        M = self.M.expand(len(x), -1, -1, -1)
        G = whole(model)(x, M, torch.Generator().manual_seed(0))
        return known_l1(G, x, Corruption.region(self.space, M)).item()


def best_of(model: Model, n: int) -> Completer:
    """Of n fillings the one that D finds most real (end of section 4.3)."""
    once = generated(model)

    def fill(x: Tensor, M: Tensor, generator: torch.Generator) -> Tensor:
        made = torch.stack([once(x, M, generator) for _ in range(n)])  # [n, B, C, S, S]
        scores = torch.stack([model.score(y) for y in made])  # [n, B]
        return made[scores.argmax(0), torch.arange(len(x))]

    return fill


def train_once(params: Params, folder: Path, keep: Path) -> None:
    """Train; the model and its history stay."""
    history: list[dict[str, Any]] = []
    features = load_features(folder / paths.FEATURES)

    def look(row: dict[str, Any], checkpoint: Path | None) -> None:
        assert checkpoint
        history.append(row | {"look": looked(Model.load(checkpoint / "model"), features, folder, params)})

    every = max(1, params.train.steps // LOOKS)
    params = changed(params, {"train.report_every": every, "train.sample_every": LOOKS})
    with tempfile.TemporaryDirectory() as scratch:
        worker = Worker("sweep", folder.resolve(), look, Path(scratch) / "run")
        if failure := train(params, worker):
            sys.exit(f"{keep.name}: {failure}")
        shutil.copytree(Path(scratch) / "run" / "model", keep, dirs_exist_ok=True)
    pd.DataFrame(history).to_csv(keep / HISTORY, index=False)


def looked(model: Model, features: FeatureNetwork, folder: Path, params: Params) -> float:
    """FID of a few completed images through the training's own network."""
    images = np.asarray(load_split(folder / paths.PREPARED, "val"))[: 2 * LOOKED]
    mine, real = images[: len(images) // 2], images[len(images) // 2 :]
    M = region_of(params).expand(len(mine), -1, -1, -1)
    y = generated(model)(to_float(mine), M, torch.Generator().manual_seed(0))
    found, wanted = (features.embed_images(some) for some in (to_uint8(y), real))
    return fid.distance(fid.statistics(found), fid.statistics(wanted))


def scored(exam: Exam, folder: Path, variants: bool) -> list[dict[str, Any]]:
    """A row of what came of a training, and of some ways to use the model, if asked for."""
    model, history = Model.load(folder), pd.read_csv(folder / HISTORY)
    methods: dict[str, Completer] = {OWN: generated(model)}
    if variants and exam.blends:
        methods |= {way: filled_by(whole(model), way) for way in ("membrane", "poisson")}
    if variants:
        methods |= {f"best of {n}": best_of(model, n) for n in (4, 16)}
    last = history.iloc[-1]
    more = {"known": exam.known(model), "steps": last["step"], "D/adv": last.get("D/adv")}
    more |= {"look_best": history["look"].min(), "look_last": last["look"]}
    rows = [row for row in exam.scores(methods) if row["system"] != "real"]
    return [row | more if row["system"] == OWN else row for row in rows]


if __name__ == "__main__":
    main()
