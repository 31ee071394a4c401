"""The verb `complete`: completions of a test set -> a table, every method under every family of masks.

FID and KID never compare an image with itself: the test set is halved at random (seeded), the completed
images of one half are scored against the real images of the other, and the two values are averaged. The
floor is what the same procedure gives for the real images: method `real`. (Training images are no
reference: a method that copies them would be measured against its own source.)
"""

from __future__ import annotations

import sys
from collections.abc import Container, Mapping
from functools import partial
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from roigan.config import EvaluateParams, Params
from roigan.corruptions.corruption import Corruption
from roigan.evaluation.bootstrap import Scored
from roigan.evaluation.colouring import rivals as colouring_rivals
from roigan.evaluation.exam import Evaluation, Exam, chosen
from roigan.evaluation.methods import Completer, fast_marching, generated, nearest, real, whole
from roigan.evaluation.metrics import colour, constraints, perceptual
from roigan.evaluation.metrics.border import jump
from roigan.evaluation.metrics.chroma import variation
from roigan.evaluation.metrics.crosswise import crosswise_fid, crosswise_kid
from roigan.evaluation.metrics.diversity import diversity
from roigan.evaluation.metrics.ids import p_ids_and_u_ids
from roigan.evaluation.metrics.pixels import l1, psnr, ssim
from roigan.evaluation.metrics.records import COLOURS, CONSTRAINTS, METRICS, RANKING
from roigan.evaluation.metrics.sharpness import contrast
from roigan.features.network import FeatureNetwork
from roigan.images.arrays import to_float, to_uint8
from roigan.inference.latent_search import completing
from roigan.systems.model import Model

SPECIAL = COLOURS + CONSTRAINTS + RANKING  # measured where they are asked for
COLUMNS = ["method", "mask", "n", *(name for name in METRICS if name not in SPECIAL)]
RATIOS = {"border": jump, "chroma": variation, "sharpness": contrast}  # a sum, by that over real images
MEANS = ["l1", "psnr", "ssim", "percep", *CONSTRAINTS]  # over images
COLOUR_MEANS = ["psnr_ab", "natural"]  # where colours alone are generated
ORDER = ["real", "nearest5", "random", "grey"]  # by `natural`, the best first
NATURAL = 0.871  # share of real images that count as natural: those that a panel took for it (Vitoria 2020)
RESIDUAL = 0.01  # of a known coordinate, on the scale [-1, 1]: half a unit of L


def own(params: Params, model: Model) -> Completer:
    """The model's method: a network, or a search."""
    return generated(completing(model, params.search))


def methods(params: Params, model: Model, train: np.ndarray) -> dict[str, Completer]:
    """The competitors by name; train: uint8 [N, H, W, C]."""
    if "grey" in params.masks.evaluate:  # nothing lies around a whole picture that could be continued
        return {model.system: generated(model), **colouring_rivals(train)}
    return {
        model.system: own(params, model),
        "fmm": fast_marching(params.evaluate.fmm_radius, model.coordinates),
        "nearest": nearest(train, model.coordinates),
    }


def wholes(params: Params, model: Model) -> dict[str, Completer]:
    """The model's generator as a method of its own, if params.yaml asks for it."""
    asked = params.evaluate.whole and "complete" in model.verbs
    return {f"{model.system} whole": whole(model)} if asked else {}


def table(completions: Mapping[str, Completer], exam: Exam) -> Evaluation:
    """`measure`, as params.yaml asks for it."""
    test, masks, features, params, model = exam
    free, space = wholes(params, model), model.coordinates
    return measure(completions, test, masks, features, params.evaluate, free, space)


def measure(
    completions: Mapping[str, Completer],
    test: np.ndarray,
    masks: Mapping[str, Tensor],
    features: FeatureNetwork,
    params: EvaluateParams,
    free: Mapping[str, Completer] = {},
    space: str = "identity",
) -> Evaluation:
    """Score every completion, and the real images, under every family of masks.

    test: uint8 [N, H, W, C]; masks: family -> M [count, 1, H, W], image i is completed under mask i modulo
    count; free: methods that may change known pixels, in which case the table has the columns CONSTRAINTS as
    well; space: the coordinates in which regions are generated, all others must stay. l1, psnr, ssim are
    means over images on the scale [0, 1]. The same seed gives the same table. Raises UserError for fewer than
    4 images, RuntimeError for a completion that touches what is known.
    """
    test = chosen(test, params)
    half = len(test) // 2
    if half <= len(features.centre):
        _say(f"evaluate: only {len(test)} images for {len(features.centre)} features: trust KID, not FID")
    rivals, n = {**completions, **free}, len(test)
    with tqdm(
        total=(len(masks) * len(rivals) + 1) * n, desc="evaluate", unit="image", file=sys.stderr
    ) as bar:
        score = partial(
            _complete_and_score, test=test, features=features, params=params, free=free, bar=bar, space=space,
            threshold=features.natural.threshold(test, NATURAL) if features.natural else 0.0,
        )  # fmt: skip
        first = next(iter(masks.values()))
        floor, originals = score({"real": real}, M_all=_spread(first, n))["real"]  # the same under every mask
        reference = originals.embedded  # [N, F]
        floor |= set_metrics(reference, reference)
        table, scored = list[dict[str, Any]](), dict[tuple[str, str], Scored]()
        for family, cached in masks.items():
            bar.set_postfix_str(family, refresh=False)
            for name, (row, images) in score(rivals, M_all=_spread(cached, n)).items():
                row |= set_metrics(images.embedded, reference)
                table.append({"method": name, "mask": family, "n": n, **row})
                scored[name, family] = images
            table.append({"method": "real", "mask": family, "n": n, **floor})
            scored["real", family] = originals
    frame = pd.DataFrame(table)
    if space != "identity" and not in_order(frame):
        _say(f"evaluate: the judge of colours does not rank {' > '.join(ORDER)}; `natural` is not shown")
        frame["natural"] = float("nan")
    more = (CONSTRAINTS if free else []) + (COLOURS if space != "identity" else [])
    return Evaluation(frame[COLUMNS + more], scored)


def in_order(table: pd.DataFrame) -> bool:
    """Whether `natural` ranks what nobody has trained as it must, where the table has all of that: a judge
    that does not is no judge."""
    for _, rows in table.groupby("mask"):
        natural = rows.set_index("method")["natural"].reindex(ORDER)
        if natural.notna().all() and not (natural.diff().dropna() < 0).all():
            return False
    return True


def _spread(M: Tensor, n: int) -> Tensor:
    """Masks [count, 1, H, W] -> one for each of n images, [n, 1, H, W]."""
    return M[torch.arange(n) % len(M)]


def set_metrics(embedded: Tensor, reference: Tensor) -> dict[str, float]:
    """The metrics of a set of images, from its features and those of the real ones [N, F] each."""
    pids, uids = p_ids_and_u_ids(embedded, reference)
    fid, kid = crosswise_fid(embedded, reference), crosswise_kid(embedded, reference)
    return {"fid": fid, "kid": kid, "pids": pids, "uids": uids}


def _complete_and_score(
    completions: Mapping[str, Completer],
    test: np.ndarray,
    M_all: Tensor,
    features: FeatureNetwork,
    params: EvaluateParams,
    free: Container[str],
    bar: tqdm[NoReturn],
    space: str,
    threshold: float,
) -> dict[str, tuple[dict[str, float], Scored]]:
    """All methods under one family: name -> (all metrics that need no features of the whole set, what was
    measured image by image).

    Batch by batch, so that the maps of the real images are made once for all methods and never kept.
    """
    device, coloured = features.scales.device, space != "identity"
    generators = {name: torch.Generator().manual_seed(params.seed) for name in completions}
    batches: dict[str, list[dict[str, Tensor]]] = {name: [] for name in completions}
    for begin in range(0, len(test), params.batch_size):
        x = to_float(test[begin : begin + params.batch_size]).to(device)  # [B, C, H, W]
        M = M_all[begin : begin + len(x)].to(device)
        maps_x = features.maps(x)
        sums_x = {metric: total(x, M) for metric, total in RATIOS.items()}
        colours_x = _colours(x, x, features, threshold) if coloured else {}
        for name, completion in completions.items():
            y = completion(x, M, generators[name])
            if name not in free:
                _check_outside(name, x, y, M)
            y = to_float(to_uint8(y)).to(device)  # images are stored in 8 bits
            if name not in free and space != "identity":
                _check_known(name, Corruption.region(space, M).residual(y, x))
            maps = features.maps(y)
            batches[name].append(
                {
                    "embedded": features.embedding(maps).cpu(),
                    "percep": perceptual.distance(maps, maps_x, M),
                    "l1": l1(y, x, M),
                    "psnr": psnr(y, x),
                    "ssim": ssim(y, x),
                    "mse_known": constraints.mse(y, x, M),
                    "satisfied": constraints.satisfied(y, x, M),
                    **{m: torch.stack([total(y, M), sums_x[m]])[None] for m, total in RATIOS.items()},
                    **(_colours(y, x, features, threshold) if coloured else {}),
                    **{f"{m} of x": value for m, value in colours_x.items()},
                }
            )
            bar.update(len(x))
    results = {}
    for name, completion in completions.items():
        whole = {key: torch.cat([batch[key] for batch in batches[name]]) for key in batches[name][0]}
        means = {metric: whole[metric].cpu() for metric in MEANS + (COLOUR_MEANS if coloured else [])}
        row = {metric: values.nanmean().item() for metric, values in means.items()}
        for metric in RATIOS:
            mine, real_ones = whole[metric].sum(0).tolist()
            row[metric] = mine / real_ones if real_ones else float("nan")
        if coloured:
            row["colour"] = (whole["colour"].sum() / whole["colour of x"].sum()).item()
            row["js"] = colour.js(whole["js"].sum(0), whole["js of x"].sum(0))
        row["diversity"] = _diversity(completion, test, M_all, params, device)
        results[name] = row, Scored(means, whole["embedded"])
    return results


def _colours(y: Tensor, x: Tensor, features: FeatureNetwork, threshold: float) -> dict[str, Tensor]:
    """What is measured of colours alone: [B] each, and the histogram [1, K]."""
    judge = features.natural
    return {
        "psnr_ab": colour.psnr_ab(y, x),
        "colour": colour.colourfulness(y),
        "js": colour.histogram(y)[None],
        "natural": (judge(y) >= threshold).float() if judge else torch.full((len(y),), torch.nan),
    }


def _diversity(
    completion: Completer, test: np.ndarray, M_all: Tensor, params: EvaluateParams, device: torch.device
) -> float:
    x = to_float(test[: params.diversity_images]).to(device)
    M = M_all[: len(x)].to(device)
    generator = torch.Generator().manual_seed(params.seed)
    samples = torch.stack(
        [completion(x, M, generator) for _ in range(params.diversity_samples)]
    )  # [K, B, C, H, W]
    return diversity(samples, M).nanmean().item()


def _check_outside(name: str, x: Tensor, y: Tensor, M: Tensor) -> None:
    """Known pixels are equal bit for bit: the promise to users."""
    touched = ((y != x) & (M < 0.5)).flatten(1).any(1).sum().item()
    if touched:
        raise RuntimeError(f"{name} changed pixels outside the region in {touched} of {len(x)} images")


def _check_known(name: str, residual: Tensor) -> None:
    """Known coordinates are those of the original, as far as 8 bits can tell."""
    if residual.max() > RESIDUAL:
        raise RuntimeError(f"{name} changed known coordinates by up to {residual.max():.3f}")


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)
