"""Short paired runs: the default and one change at a time, same seed, data and steps; one row each.

    python -m benchmarks.decisions [VARIANT ...]       (all of them, where none is named)

Works in a project folder whose stages `prepare` and `features` have run (32 px are enough, see
docs/decisions.md), in this process on one core, and appends to docs/results/decisions.csv. Rows that are
there already are not computed again.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmarks.measuring import provenance
from roigan import paths
from roigan.baselines import generated
from roigan.config import Params, changed, load_params
from roigan.data import load_split, load_statistics
from roigan.evaluate import evaluate
from roigan.features import load_features
from roigan.masks import sample
from roigan.model import Model
from roigan.train import Place, train

RESULTS = Path("docs/results/decisions.csv")
FAMILIES = ("ellipse", "rectangle", "mixture")
STEPS = 856  # twice through 6,858 faces

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "default, seed 1": {"train.seed": 1},
    "blend none": {"model.blend": "none"},
    "blend colours": {"model.blend": "colours"},
    "controls through the mapping": {"model.direct_controls": False},
    "reader on D's trunk": {"model.reader": "trunk"},
    "perceptual 5": {"losses.perceptual": 5.0},
    "info 0": {"losses.info": 0.0},
    "lr 1e-3": {"train.lr_g": 1e-3, "train.lr_d": 1e-3},
    "lr G 3e-4, D 1e-4": {"train.lr_g": 3e-4, "train.lr_d": 1e-4},
    "lr G 1e-4, D 3e-4": {"train.lr_g": 1e-4, "train.lr_d": 3e-4},
    "not equalised, lr 3e-4": {"model.equalized": False, "train.lr_g": 3e-4, "train.lr_d": 3e-4},
    "spectral norm": {"model.spectral_norm": True},
    "penalty outside": {"penalty.region": "outside"},
    "penalty on the sum of scores": {"penalty.scores": "sum"},
    "no penalty": {"losses.gp": 0.0},
    "penalty 5": {"losses.gp": 5.0},
    "ellipses only": {"masks.train": {"ellipse": 1.0}},
}


def run(name: str, params: Params) -> dict[str, Any]:
    """Train and score one variant."""
    with tempfile.TemporaryDirectory() as scratch:
        rows: list[dict[str, Any]] = []
        place = Place(
            name, Path(), lambda row, folder: rows.append(row), Path(scratch),
            say=lambda line: print(f"{name}: {line}", file=sys.stderr),
        )  # fmt: skip
        failure = train(params, place)
        if failure:
            return {"variant": name, "failure": failure}
        model = Model.load(Path(scratch) / "model")
    masks = {
        family: sample(family, 1000, params.data.image_size, torch.Generator().manual_seed(0))
        for family in FAMILIES
    }
    test, features = load_split(paths.PREPARED, "test"), load_features(paths.FEATURES)
    table = evaluate({"roigan": generated(model)}, test, masks, features, params.evaluate)
    table = table[table["method"] == "roigan"].set_index("mask")
    scores = {
        f"{metric}_{family}": float(table.loc[family, metric])
        for metric in ("fid", "border", "psnr", "pids", "diversity")
        for family in FAMILIES
    }
    late = {key: rows[-1].get(key) for key in ("D/adv", "G/info_c", "G/info_k")}
    return {"variant": name, "steps": params.train.steps, **late, **scores}


def main() -> None:
    torch.set_num_threads(1)
    base = changed(load_params(), {"train.steps": STEPS, "train.num_workers": 0, "train.precision": "fp32"})
    about = {**provenance(torch.device("cpu")), "data": load_statistics(paths.PREPARED)["data"]}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or VARIANTS:
        done = pd.read_csv(RESULTS) if RESULTS.is_file() else pd.DataFrame({"variant": []})
        if name in set(done["variant"]):
            continue
        row = pd.DataFrame([run(name, changed(base, VARIANTS[name])) | about])
        pd.concat([done, row] if len(done) else [row]).to_csv(RESULTS, index=False, float_format="%.4g")
        print(row.iloc[0, :12].to_string(), file=sys.stderr)


if __name__ == "__main__":
    main()
