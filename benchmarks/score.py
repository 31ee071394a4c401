"""Score a model folder on the prepared data of this project folder: the rows of docs/results/roigan.csv.

    python -m benchmarks.score MODEL DATASET [SEED]

MODEL: a folder with weights and config (releases/faces64, say); DATASET: the name in the first column; SEED:
of the training, for the record. The stages `prepare`, `masks` and `features` must have run. Rows of the same
dataset, judge, method and seed are replaced.

Every score is taken twice (column `judge`): by the network that the training has looked through, which
flatters, and by `evaluate.judge`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from benchmarks.measuring import provenance
from roigan.config import load_params
from roigan.corruptions.cache import load_cache
from roigan.errors import UserError, exit_on_user_error
from roigan.evaluation.completion import measure, methods
from roigan.features.network import FeatureNetwork, load_features
from roigan.files import paths
from roigan.images.arrays import load_split, load_statistics
from roigan.systems.model import Model

RESULTS = Path("docs/results/roigan.csv")


def main() -> None:
    if len(sys.argv) not in (3, 4):
        raise UserError("usage: python -m benchmarks.score MODEL DATASET [SEED]")
    folder, dataset, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]) if sys.argv[3:] else 0
    params, model = load_params(), Model.load(folder)
    masks: dict[str, Tensor] = {
        family: load_cache(paths.MASKS / f"{family}.npz") for family in params.masks.evaluate
    }
    completions = methods(params, model, load_split(paths.PREPARED, "train"))
    test = load_split(paths.PREPARED, "test")
    tables = []
    for judge, features in judges(model).items():
        table = measure(completions, test, masks, features, params.evaluate).table
        floor = table[table["method"] == "real"].set_index("mask")["fid"]
        fmm = table[table["method"] == "fmm"].set_index("mask")["fid"]
        table["r"] = (table["fid"] - table["mask"].map(floor)) / table["mask"].map(fmm - floor)
        tables.append(table.assign(judge=judge, features=f"{features.name} {features.sha256[:16]}"))
    about = provenance(torch.device("cpu"))
    table = pd.concat(tables).assign(
        dataset=dataset, seed=seed, model=model.sha256[:16],
        data=load_statistics(paths.PREPARED)["data"], commit=about["commit"], device=about["device"],
    )  # fmt: skip
    first = ["dataset", "judge", "method", "mask", "seed"]
    table = table[first + [column for column in table if column not in first]]
    if RESULTS.is_file():
        table = replaced(pd.read_csv(RESULTS), table)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(RESULTS, index=False, float_format="%.5g")
    shown = table[table["dataset"] == dataset]
    print(shown[["judge", "method", "mask", *measured(shown)]].to_string(index=False, float_format="%.4g"))


def judges(model: Model) -> dict[str, FeatureNetwork]:
    """By name: `evaluate.judge`, and the network of the training, where it is the one that lies here."""
    judge, seen = load_features(paths.JUDGE), load_features(paths.FEATURES)
    known = model.config.get("features", {}).get("sha256") == seen.sha256
    return {judge.name: judge} | ({"training": seen} if known else {})


def replaced(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Both tables, without those rows of `old` whose dataset, judge, method and seed `new` has too."""
    key = ["dataset", "judge", "method", "seed"]
    again = pd.MultiIndex.from_frame(old[key]).isin(pd.MultiIndex.from_frame(new[key]))
    return new if again.all() else pd.concat([old[~again], new])


def measured(table: pd.DataFrame) -> list[str]:
    """The measured columns."""
    return [str(c) for c in table.select_dtypes("number") if c not in ("seed", "n")]


if __name__ == "__main__":
    exit_on_user_error(main)
