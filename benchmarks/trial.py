"""Trials: train and score sets of parameters one after the other, one row each in a CSV file.

Works in a project folder whose stages `prepare` and `features` have run, in this process on one core. Rows
that are there already are not computed again.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmarks.measuring import provenance
from roigan.config import Params, changed, load_params
from roigan.corruptions.sampling import sample
from roigan.evaluation.completion import measure
from roigan.evaluation.methods import Completer, generated
from roigan.features.network import load_features
from roigan.files import paths
from roigan.images.arrays import load_split, load_statistics
from roigan.systems.model import Model
from roigan.training.loop import train
from roigan.training.worker import Worker

FAMILIES = ("ellipse", "rectangle", "mixture")
SETTING = {"train.steps": 856, "train.num_workers": 0, "train.precision": "fp32"}  # twice through 6,858 faces


def run_one(name: str, params: Params) -> dict[str, Any]:
    """Train and score one set of parameters."""
    model, rows, failure = trained(name, params)
    if not model:
        return {"failure": failure}
    table = scored(params, FAMILIES, {"trial": generated(model)}).set_index("mask")
    scores = {
        f"{metric}_{family}": table[metric][family]
        for metric in ("fid", "border", "chroma", "psnr", "pids", "diversity")
        for family in FAMILIES
    }
    late = {key: rows[-1].get(key) for key in ("D/adv", "G/info_c", "G/info_k")}
    fid = statistics.fmean(scores[f"fid_{family}"] for family in FAMILIES)
    return {"steps": params.train.steps, **late, "fid": fid, **scores}


def trained(name: str, params: Params) -> tuple[Model | None, list[dict[str, Any]], str | None]:
    """A model, its history, and why there is none, if so."""
    with tempfile.TemporaryDirectory() as scratch:
        rows: list[dict[str, Any]] = []
        worker = Worker(
            name, Path(), lambda row, folder: rows.append(row), Path(scratch),
            say=lambda line: print(f"{name}: {line}", file=sys.stderr),
        )  # fmt: skip
        failure = train(params, worker)
        return None if failure else Model.load(Path(scratch) / "model"), rows, failure


def scored(
    params: Params,
    families: Sequence[str],
    completions: Mapping[str, Completer],
    free: Mapping[str, Completer] = {},
) -> pd.DataFrame:
    """The evaluation of some methods on the test images under fresh masks, without the row `real`."""
    share, size = params.masks.known_share, params.data.image_size
    masks = {
        family: sample(family, 1000, size, torch.Generator().manual_seed(0), share) for family in families
    }
    test, features = load_split(paths.PREPARED, "test"), load_features(paths.FEATURES)
    table = measure(completions, test, masks, features, params.evaluate, free).table
    return table[table["method"] != "real"]


def run_all(
    variants: Mapping[str, Mapping[str, Any]],
    results: Path,
    run: Callable[[str, Params], dict[str, Any]] = run_one,
) -> pd.DataFrame:
    """One row per variant, by the keys that it changes in params.yaml; `run` trains and scores otherwise than
    `run_one`.

    Returns the whole table.
    """
    torch.set_num_threads(1)
    base = changed(load_params(), SETTING)
    about = {**provenance(torch.device("cpu")), "data": load_statistics(paths.PREPARED)["data"]}
    results.parent.mkdir(parents=True, exist_ok=True)
    table = pd.read_csv(results) if results.is_file() else pd.DataFrame({"variant": []})
    for name, changes in variants.items():
        if name in set(table["variant"]):
            continue
        params = changed(base, changes)
        row = pd.DataFrame([{"variant": name, **run(name, params), **about}])
        table = pd.concat([table, row]) if len(table) else row
        table.to_csv(results, index=False, float_format="%.4g")
        print(row.iloc[0, :12].to_string(), file=sys.stderr)
    return table
