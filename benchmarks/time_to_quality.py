"""Minutes of training until fillings are so good: one run per recipe, judged at its snapshots.

    python -m benchmarks.time_to_quality [RECIPE ...]       (all of them, where none is named)

Works in a project folder whose stages `prepare`, `masks` and `features` have run, in this process on one
core. Quality is r by `evaluate.judge`, the mean over `masks.evaluate`: 0 is real, 1 fast marching. Minutes
are the processor's, without the judging: other work on the machine delays a run and is not counted. Appends
to docs/results/time-to-quality.csv, a row per snapshot; an interrupted run goes on from its last one, and a
recipe that is there already is not run again.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmarks.measuring import provenance
from roigan.config import Params, changed, load_params, read_yaml
from roigan.corruptions.cache import load_cache
from roigan.errors import UserError, exit_on_user_error
from roigan.evaluation.completion import measure
from roigan.evaluation.methods import fast_marching, generated
from roigan.features.network import load_features
from roigan.files import paths
from roigan.images.arrays import load_split, load_statistics
from roigan.launch.identity import run_name
from roigan.systems.model import Model
from roigan.training.loop import train
from roigan.training.worker import Worker

RESULTS = Path("docs/results/time-to-quality.csv")
SNAPSHOTS = Path(".roigan/time_to_quality")
TIME = "time.json"
PROJECT = Path(__file__).parent.parent
PRESETS = PROJECT / "presets"
FOLDERS = "params.yaml"  # the recipe of the folder itself
RECIPES: dict[str, dict[str, Any]] = {
    FOLDERS: {},
    "faces64": {"train.report_every": 1000},
    "thesis": {"train.steps": 400, "train.report_every": 100},
    "features64": {"train.steps": 3000, "train.report_every": 300, "train.lr_g": 4e-3, "train.lr_d": 4e-4},
}
"""By name, and what differs from the preset of that name, whose blocks `model`, `losses`, `penalty` and
`train` (params.yaml's where it is silent) replace those of the folder. All begin from nothing."""
BLOCKS = ("model", "losses", "penalty", "train")
ONE_CORE = {"train.num_workers": 0, "prior": None}
AIMS = (0.2, 0.1)  # of r


def run(name: str, params: Params) -> list[Path]:
    """Train to the end, or go on where it was interrupted; the folders of the snapshots, in order.

    Each is a checkpoint, and holds in `time.json` the seconds since the first step.
    """
    folder = SNAPSHOTS / name
    folder.mkdir(parents=True, exist_ok=True)
    done = sorted(folder.glob("0*"))
    spent: float = json.loads((done[-1] / TIME).read_text())["cpu_s"] if done else 0.0
    began = time.process_time() - spent

    def report(row: dict[str, Any], checkpoint: Path | None) -> None:
        assert checkpoint  # the only rank
        now = time.process_time() - began
        unfinished = folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(checkpoint, unfinished)
        (unfinished / TIME).write_text(json.dumps({"cpu_s": now}))
        unfinished.rename(folder / f"{row['step']:07d}")

    if not done or int(done[-1].name) < params.train.steps:
        worker = Worker(
            run_name(params, Path()), Path(), report, folder / "checkpoint",
            say=lambda line: print(f"{name}: {line}", file=sys.stderr), resume=done[-1] if done else None,
        )  # fmt: skip
        if failure := train(params, worker):
            raise UserError(f"{name}: {failure}")
    return sorted(folder.glob("0*"))


def judged(params: Params, snapshots: list[Path]) -> pd.DataFrame:
    """Step, seconds, r under every family of masks and their mean `r`, a row per snapshot."""
    models = {folder.name: generated(Model.load(folder / "model")) for folder in snapshots}
    masks = {name: load_cache(paths.MASKS / f"{name}.npz") for name in params.masks.evaluate}
    table = measure(
        {"fmm": fast_marching(params.evaluate.fmm_radius), **models},
        load_split(paths.PREPARED, "test"), masks, load_features(paths.JUDGE), params.evaluate,
    ).table  # fmt: skip
    fid = table.pivot(index="method", columns="mask", values="fid")[list(masks)]
    r = ((fid - fid.loc["real"]) / (fid.loc["fmm"] - fid.loc["real"])).loc[list(models)]
    seconds = [json.loads((folder / TIME).read_text())["cpu_s"] for folder in snapshots]
    steps = [int(folder.name) for folder in snapshots]
    return r.add_prefix("r_").assign(step=steps, cpu_s=seconds, r=r.mean(axis=1)).reset_index(drop=True)


def minutes_to(aim: float, rows: pd.DataFrame) -> float:
    """Minutes to the first snapshot of a recipe whose r is at most the aim; infinity where there is none."""
    reached = rows.loc[rows["r"] <= aim, "cpu_s"]
    return float(reached.min()) / 60 if len(reached) else float("inf")


def main() -> None:
    chosen = sys.argv[1:] or list(RECIPES)
    if unknown := set(chosen) - set(RECIPES):
        raise UserError(f"no recipe {', '.join(sorted(unknown))}; known are {', '.join(RECIPES)}")
    torch.set_num_threads(1)
    table = pd.read_csv(RESULTS) if RESULTS.is_file() else pd.DataFrame({"recipe": []})
    for name in chosen:
        if name not in set(table["recipe"]):
            params = recipe(name)
            data, network = load_statistics(paths.PREPARED)["data"], load_features(paths.FEATURES).name
            about = {**provenance(torch.device("cpu")), "data": data, "features": network}
            rows = judged(params, run(name, params)).assign(recipe=name, **about)
            table = pd.concat([table, rows]) if len(table) else rows
            RESULTS.parent.mkdir(parents=True, exist_ok=True)
            table.to_csv(RESULTS, index=False, float_format="%.5g")
    for name in chosen:
        found = (f"r {aim}: {minutes_to(aim, table[table['recipe'] == name]):.0f} min" for aim in AIMS)
        print(f"{name}: {', '.join(found)}")


def recipe(name: str) -> Params:
    """The folder's parameters with the blocks of a recipe, on one core and without a prior."""
    changes: dict[str, Any] = {}
    for file in () if name == FOLDERS else (PROJECT / "params.yaml", PRESETS / f"{name}.yaml"):
        content = read_yaml(file.read_text())
        for block in BLOCKS:
            changes |= {f"{block}.{key}": value for key, value in content.get(block, {}).items()}
    return changed(load_params(), {**changes, **RECIPES[name], **ONE_CORE})


if __name__ == "__main__":
    exit_on_user_error(main)
