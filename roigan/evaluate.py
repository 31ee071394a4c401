"""Completion functions and a test set -> a table: every method under every family of masks.

FID and KID never compare an image with itself: the test set is halved at random (seeded), the completed
images of one half are scored against the real images of the other, and the two values are averaged. The
floor is what the same procedure gives for the real images: method `real`. (Training images are no
reference: a method that copies them would be measured against its own source.)
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from roigan.baselines import Completion, fast_marching, generated, nearest, real
from roigan.config import EvaluateParams, Params
from roigan.data import to_float, to_uint8
from roigan.errors import UserError
from roigan.features import FeatureNetwork
from roigan.metrics import fid, kid, perceptual
from roigan.metrics.border import jump
from roigan.metrics.diversity import diversity
from roigan.metrics.ids import p_ids_and_u_ids
from roigan.metrics.pixels import l1, psnr, ssim
from roigan.model import Model

METRICS = ["fid", "kid", "pids", "uids", "percep", "l1", "psnr", "ssim", "border", "diversity"]
COLUMNS = ["method", "mask", "n", *METRICS]
SMALLEST = 4  # test images: two halves, each with a covariance


def methods(params: Params, model: Model, train: np.ndarray) -> dict[str, Completion]:
    """The competitors by name; train: uint8 [N, H, W, C]."""
    return {
        "roigan": generated(model),
        "fmm": fast_marching(params.evaluate.fmm_radius),
        "nearest": nearest(train),
    }


def evaluate(
    completions: Mapping[str, Completion],
    test: np.ndarray,
    masks: Mapping[str, Tensor],
    features: FeatureNetwork,
    params: EvaluateParams,
) -> pd.DataFrame:
    """Score every completion, and the real images, under every family of masks.

    test: uint8 [N, H, W, C]; masks: family -> M [count, 1, H, W], image i is completed under mask i modulo
    count. Returns the columns COLUMNS; l1, psnr, ssim are means over images on the scale [0, 1]. The same
    seed gives the same table. Raises UserError for fewer than 4 images, RuntimeError for a completion that
    touches known pixels.
    """
    test = _chosen(test, params)
    half = len(test) // 2
    if half <= len(features.centre):
        _say(f"evaluate: only {len(test)} images for {len(features.centre)} features: trust KID, not FID")
    reference = features.embed_images(test)  # [N, F]
    parts = (reference[:half], reference[half:])
    gaussians = [fid.statistics(part) for part in parts]

    def scores(name: str, completion: Completion, family: str) -> dict[str, Any]:
        bar.set_postfix_str(f"{family}, {name}", refresh=False)
        M = masks[family][torch.arange(len(test)) % len(masks[family])]  # [N, 1, H, W]
        row, embedded = _complete_and_score(name, completion, test, M, features, params, bar)
        mine = (embedded[:half], embedded[half:])
        crossed = [fid.distance(fid.statistics(mine[i]), gaussians[1 - i]) for i in (0, 1)]
        row["fid"] = statistics.fmean(crossed)
        row["kid"] = statistics.fmean([kid.distance(mine[i], parts[1 - i]) for i in (0, 1)])
        row["pids"], row["uids"] = p_ids_and_u_ids(embedded, reference)
        return {"method": name, "mask": family, "n": len(test), **row}

    rows = []
    total = (len(masks) * len(completions) + 1) * len(test)
    with tqdm(total=total, desc="evaluate", unit="image", file=sys.stderr) as bar:
        floor = scores("real", real, next(iter(masks)))  # the same under every mask
        for family in masks:
            rows += [scores(name, completion, family) for name, completion in completions.items()]
            rows.append(floor | {"mask": family})
    return pd.DataFrame(rows)[COLUMNS]


def _chosen(test: np.ndarray, params: EvaluateParams) -> np.ndarray:
    """The test images in seeded random order, at most `limit` of them."""
    order = np.random.default_rng(params.seed).permutation(len(test))[: params.limit]
    if len(order) < SMALLEST:
        raise UserError(f"evaluation needs at least {SMALLEST} test images, there are {len(order)}")
    return np.asarray(test)[order]


def _complete_and_score(
    name: str,
    completion: Completion,
    test: np.ndarray,
    M_all: Tensor,
    features: FeatureNetwork,
    params: EvaluateParams,
    bar: tqdm,
) -> tuple[dict[str, float], Tensor]:
    """One method under one family: (all metrics but fid and kid, features of the completed images [N, F])."""
    device = features.scales.device
    generator = torch.Generator().manual_seed(params.seed)
    scores: dict[str, list[Tensor]] = {"l1": [], "psnr": [], "ssim": [], "percep": []}
    embedded = []
    jumps, real_jumps = 0.0, 0.0
    for begin in range(0, len(test), params.batch_size):
        x = to_float(test[begin : begin + params.batch_size]).to(device)  # [B, C, H, W]
        M = M_all[begin : begin + len(x)].to(device)
        y = completion(x, M, generator)
        _check_outside(name, x, y, M)
        y = to_float(to_uint8(y)).to(device)  # images are stored in 8 bits
        maps, maps_x = features.maps(y), features.maps(x)
        embedded.append(features.embedding(maps).cpu())
        scores["percep"].append(perceptual.distance(maps, maps_x, M))
        scores["l1"].append(l1(y, x, M))
        scores["psnr"].append(psnr(y, x))
        scores["ssim"].append(ssim(y, x))
        jumps += jump(y, M).item()
        real_jumps += jump(x, M).item()
        bar.update(len(x))
    row = {metric: torch.cat(values).nanmean().item() for metric, values in scores.items()}
    row["border"] = jumps / real_jumps if real_jumps else float("nan")
    row["diversity"] = _diversity(completion, test, M_all, params, device)
    return row, torch.cat(embedded)


def _diversity(
    completion: Completion, test: np.ndarray, M_all: Tensor, params: EvaluateParams, device: torch.device
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


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)
