"""Latent search over priors beside its rivals: the rows of docs/results/latent-search.csv.

    python -m benchmarks.latent_search DATASET MASK MODEL... [--set SETTINGS] [--images N] [--only SETTING...]

In a project folder in which `prepare`, `masks` and `features` have run. MODEL: model folders that generate;
MASK: a family of masks.evaluate; SETTINGS: `papers` (the rows of both papers, for every prior), `parts` (one
change of the default at a time, first prior only), `starts` (other first z; MODEL: one that projects),
`rivals` (no search; MODEL: those that complete), `samples` (MASK `whole`: the priors' own images). Rows that
are in the table already are not made again.

MSE is on the scale 0 to 255, PSNR of the mean MSE, as the papers have it. Columns: `known`, the mean absolute
difference of known pixels before blending, on [-1, 1]; `seconds`, per image, that one core works; `above` and
`above_se`, how far the MSE in the hole lies above that of the set's first setting over the first prior, image
by image and blended alike, and the standard error of that mean. Rivals are paired with the first row of
`papers` under Poisson blending.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from benchmarks.measuring import provenance
from roigan.config import Params, SearchParams, load_params
from roigan.corruptions.cache import load_cache
from roigan.errors import UserError, exit_on_user_error
from roigan.evaluation import generation, methods
from roigan.evaluation.completion import measure
from roigan.evaluation.methods import Completer, filled_by
from roigan.features.network import load_features
from roigan.files import paths
from roigan.images.arrays import load_split
from roigan.images.blending import BLENDS
from roigan.inference.latent_search import LatentSearch
from roigan.inference.priors import prior_of
from roigan.systems.model import Model

RESULTS = Path("docs/results/latent-search.csv")
FIRST = Path(".roigan/latent_search")  # each set's first setting, image by image: what others are paired with
AT_ONCE = 64  # images searched at a time
KEY = ["dataset", "mask", "prior", "setting", "blend"]
PAPERS: dict[str, dict[str, Any]] = {
    "Yeh et al.": {"alpha": 1.0, "beta": 0.0, "eta": 0.003},
    "gradients .1 .9 .5": {"alpha": 0.1, "beta": 0.9, "eta": 0.5},
    "gradients .5 .5 .5": {"alpha": 0.5, "beta": 0.5, "eta": 0.5},
    "gradients .5 .5 1": {"alpha": 0.5, "beta": 0.5, "eta": 1.0},
}
PARTS: dict[str, dict[str, Any]] = {
    "default": {},
    "no search": {"steps": 0},
    "best of 64, no search": {"steps": 0, "pool": 64},
    "no prior term": {"eta": 0.0},
    "eta 10": {"eta": 10.0},
    "no gradients": {"alpha": 1.0, "beta": 0.0},
    "gradients alone": {"alpha": 0.0, "beta": 1.0},
    "K": {"weights": "K"},
    "window 3": {"window": 3},
    "window 15": {"window": 15},
    "window 31": {"window": 31},
    "l2": {"norm": "l2"},
    "50 steps": {"steps": 50},
    "400 steps": {"steps": 400},
    "best of 32": {"pool": 32},
    "4 restarts": {"pool": 4, "restarts": 4},
    "L-BFGS, 60 steps": {"optimizer": "lbfgs", "steps": 60},
}
STARTS: dict[str, dict[str, Any]] = {
    f"first z {first}, {steps} steps": {"first": first, "steps": steps}
    for steps in (150, 30, 0)
    for first in ("random", "0", "of P")
}
SETS = {"papers": PAPERS, "parts": PARTS, "starts": STARTS}


First = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Where a search begins: (x, M, a random z) -> z."""


class Searched:
    """What a search proposes for an image: made once, for all ways of blending."""

    def __init__(self, model: Model, params: SearchParams, first: First) -> None:
        self.search, self.first = LatentSearch(model, params), first
        self.found: dict[bytes, Tensor] = {}
        self.seconds, self.apart, self.count = 0.0, 0.0, 0

    def __call__(self, x: Tensor, M: Tensor, generator: torch.Generator) -> Tensor:
        keys = [
            image.numpy().tobytes() + region.numpy().tobytes() for image, region in zip(x, M, strict=True)
        ]
        if not all(key in self.found for key in keys):
            z = self.search.latent(len(x), generator)
            began = time.process_time()
            z = self.first(x, M, z)
            parts = zip(x.split(AT_ONCE), M.split(AT_ONCE), z.split(AT_ONCE), strict=True)
            G = torch.cat([self.search.find(*part).images for part in parts])
            self.seconds += time.process_time() - began
            apart = ((G - x).abs() * (1 - M)).sum((1, 2, 3)) / (1 - M).sum((1, 2, 3)) / x.shape[1]  # [B]
            self.apart += apart.sum().item()
            self.count += len(x)
            self.found |= dict(zip(keys, G, strict=True))
        return torch.stack([self.found[key] for key in keys])


class Timed:
    """A completion, and the seconds that the core works on an image of it."""

    def __init__(self, fill: Completer) -> None:
        self.fill, self.seconds, self.count = fill, 0.0, 0

    def __call__(self, x: Tensor, M: Tensor, generator: torch.Generator) -> Tensor:
        began = time.process_time()
        y = self.fill(x, M, generator)
        self.seconds, self.count = self.seconds + time.process_time() - began, self.count + len(x)
        return y

    @property
    def per_image(self) -> float:
        return self.seconds / self.count


def main() -> None:
    arguments = parser().parse_args()
    torch.set_num_threads(1)
    params = load_params()
    few = params.evaluate.model_copy(
        update={"limit": arguments.images, "diversity_images": 2, "diversity_samples": 2}
    )
    params = params.model_copy(update={"evaluate": few})
    others = {"samples": samples, "rivals": without_search}
    others.get(arguments.set, searches)(params, arguments)


def searches(params: Params, arguments: argparse.Namespace) -> None:
    """The rows of a set of settings."""
    models = arguments.models if arguments.set == "papers" else arguments.models[:1]
    path = of_first(arguments, arguments.set)
    for folder in models:
        model = Model.load(folder)
        prior = prior_of(model)
        name = f"{prior.system} {prior.sha256[:8]}"
        for setting, asked in SETS[arguments.set].items():
            if arguments.only and setting not in arguments.only:
                continue
            if known(arguments, name, setting, "none") and path.is_file():
                continue
            changes = dict(asked)
            first = FIRSTS[changes.pop("first", "random")](model)
            search = params.search.model_copy(update=changes)
            searched = Searched(model, search, first)
            completions = {blend: filled_by(searched, blend) for blend in BLENDS}
            table, errors = score(params, arguments, completions)
            if setting == next(iter(SETS[arguments.set])) and not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                errors.to_csv(path, index=False)
            pair(table, errors - paired_with(path, errors))
            found = {"seconds": searched.seconds / searched.count, "known": searched.apart / searched.count}
            about = search.model_dump(exclude={"blend", "precision", "bound", "lr"})
            keep(table, arguments, name, setting, about | found)


def of_first(arguments: argparse.Namespace, settings: str) -> Path:
    """Where the MSE of a set's first setting is kept, image by image, a column for each way of blending."""
    return FIRST / f"{arguments.dataset} {arguments.mask} {settings}.csv"


def paired_with(path: Path, errors: pd.DataFrame) -> pd.DataFrame:
    """The first setting's; UserError where it is not there, or of other images than `errors`."""
    if not path.is_file():
        raise UserError(f"{path} does not exist; run the set's first setting before")
    first = pd.read_csv(path)
    if len(first) != len(errors):
        raise UserError(f"{path} is of {len(first)} images; use --images {len(first)}, or remove it")
    return first


def pair(table: pd.DataFrame, apart: pd.DataFrame) -> None:
    """Add how far completions lie above the first setting; apart: image by image, a column for each."""
    table["above"] = table["method"].map(apart.mean())
    table["above_se"] = table["method"].map(apart.sem())


def samples(params: Params, arguments: argparse.Namespace) -> None:
    """How good the priors' own images are, beside copies and the mean: mask `whole`."""
    train, test = (load_split(paths.PREPARED, split) for split in ("train", "test"))
    priors = {f"{model.system} {model.sha256[:8]}": model for model in map(Model.load, arguments.models)}
    made = {name: generation.sampled(model) for name, model in priors.items()}
    made |= {"copy": generation.copies(train), "mean": generation.mean(train)}
    pairs = params.evaluate.model_copy(update={"diversity_images": 32})
    judge, masks = load_features(paths.JUDGE), {"whole": torch.ones(1)}
    found = generation.measure(made, test, masks, judge, pairs)
    for name in [*made, "real"]:
        row = found.table[found.table["method"] == name].assign(method="none")
        keep(row, arguments, name, "samples", {})


def without_search(params: Params, arguments: argparse.Namespace) -> None:
    """The rows of the rivals."""
    timed = {
        name: Timed(fill)
        for name, fill in rivals(params, arguments.models).items()
        if name in (arguments.only or [name]) and not known(arguments, "-", *name.partition("/")[::2])
    }
    table, errors = score(params, arguments, timed)
    table["seconds"] = table["method"].map({name: fill.per_image for name, fill in timed.items()})
    pair(table, errors.sub(paired_with(of_first(arguments, "papers"), errors)["poisson"], axis=0))
    keep(table, arguments, "-", "-", {})


def rivals(params: Params, folders: Sequence[Path]) -> dict[str, Completer]:
    """What needs no search, pasted and blended, and models that complete."""
    train = load_split(paths.PREPARED, "train")
    copies = {"nearest": methods.nearest_image(train), "mean": methods.mean_image(train)}
    copies |= {"random": methods.random_image(train), "harmonic": methods.grey}
    found: dict[str, Completer] = {"fmm": methods.fast_marching(params.evaluate.fmm_radius)}
    for name, proposal in copies.items():
        found |= {f"{name}/{blend}": filled_by(proposal, blend) for blend in ("none", "poisson")}
    networks = (Model.load(folder) for folder in folders)
    return found | {f"{n.system} {n.sha256[:8]}": methods.generated(n) for n in networks}


# --- Where a search begins ---


def drawn(model: Model) -> First:
    """At the random z."""
    return lambda x, M, z: z


def origin(model: Model) -> First:
    """At 0, the middle of what the prior knows."""
    return lambda x, M, z: torch.zeros_like(z)


def encoded(model: Model) -> First:
    """At P's answer. It knows whole images: the region shows the mean training image, blended."""
    fill = filled_by(methods.mean_image(load_split(paths.PREPARED, "train")), "poisson")
    return lambda x, M, z: model.project(fill(x, M, torch.Generator()))


FIRSTS: dict[str, Callable[[Model], First]] = {"random": drawn, "0": origin, "of P": encoded}


def score(
    params: Params, arguments: argparse.Namespace, completions: Mapping[str, Completer]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row per completion, with MSE; and every image's MSE in the hole, a column per completion."""
    M: Tensor = load_cache(paths.MASKS / f"{arguments.mask}.npz")
    test = load_split(paths.PREPARED, "test")
    methods_ = {"fmm": methods.fast_marching(params.evaluate.fmm_radius), **completions}
    table, scored = measure(methods_, test, {arguments.mask: M}, load_features(paths.JUDGE), params.evaluate)
    hidden = M[torch.arange(len(next(iter(scored.values())).embedded)) % len(M)].flatten(1).mean(1)  # share
    rows = table.set_index("method")
    floor, fmm = rows.loc["real", "fid"], rows.loc["fmm", "fid"]
    table["r"] = (table["fid"] - floor) / (fmm - floor)
    errors: dict[str, list[float]] = {}
    for name in completions:
        mse = 255**2 * 10 ** (-scored[name, arguments.mask].means["psnr"] / 10)  # [n], of the whole image
        errors[name] = (mse / hidden).tolist()
        row = table["method"] == name
        table.loc[row, "mse"] = mse.mean().item()
        table.loc[row, "mse_hole"] = (mse / hidden).mean().item()
        table.loc[row, "mse_hole_se"] = (mse / hidden).std().item() / len(mse) ** 0.5
        table.loc[row, "psnr"] = 10 * torch.log10(255**2 / mse.mean()).item()
    return table[table["method"].isin(list(completions))], pd.DataFrame(errors)


def keep(
    table: pd.DataFrame, arguments: argparse.Namespace, prior: str, setting: str, about: Mapping[str, Any]
) -> None:
    """Add the rows to the table on disk."""
    name, _, blend = (table["method"].str.partition("/")[i] for i in range(3)) if prior == "-" else (
        setting, None, table["method"],
    )  # fmt: skip
    table = table.drop(columns=["method", "mask", "diversity", "chroma", "uids"], errors="ignore")
    where = provenance(torch.device("cpu"))
    table = table.assign(
        dataset=arguments.dataset, mask=arguments.mask, prior=prior, setting=name, blend=blend,
        **about, commit=where["commit"], device=where["device"],
    )  # fmt: skip
    table = table[KEY + [column for column in table if column not in KEY]]
    if RESULTS.is_file():
        table = pd.concat([kept_rows(), table]).drop_duplicates(KEY, keep="last")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(RESULTS, index=False, float_format="%.5g")
    shown = [*KEY, "fid", "r", "mse_hole", "ssim", "border", "pids"]
    print(
        table.tail(3).reindex(columns=shown).to_string(index=False, header=False, float_format="%.3g"),
        flush=True,
    )


def known(arguments: argparse.Namespace, prior: str, setting: str, blend: str) -> bool:
    """Whether the table has it."""
    row = [arguments.dataset, arguments.mask, prior, setting, blend]
    return RESULTS.is_file() and bool((kept_rows()[KEY] == row).all(axis=1).any())


def kept_rows() -> pd.DataFrame:
    """The table on disk; what is not blended has an empty name there."""
    return pd.read_csv(RESULTS).fillna({"blend": ""})


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="python -m benchmarks.latent_search")
    found.add_argument("dataset")
    found.add_argument("mask")
    found.add_argument("models", nargs="*", type=Path)
    found.add_argument("--set", choices=[*SETS, "rivals", "samples"], default="papers")
    found.add_argument("--images", type=int, default=200)
    found.add_argument("--only", nargs="+", metavar="SETTING", help="of the set; the set's first goes first")
    return found


if __name__ == "__main__":
    exit_on_user_error(main)
