"""The penalty on a critic's gradient as systems take it: lazily, at every n-th step and n times as strong."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from roigan.config.blocks import PenaltyParams
from roigan.game import Batch, Terms
from roigan.losses.adversarial import gradient_penalty

REDUCE = {"mean": torch.mean, "sum": torch.sum}


def lazy_penalty(
    weight: float,
    params: PenaltyParams,
    batch: Batch,
    scores: Callable[[Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    M: Tensor,
    draw: str = "gp",
) -> Terms:
    """{"gp": weight * (3.10)} for this step, or nothing (Karras et al. 2020, lazy regularisation).

    scores: t [B, C, H, W] between x and y -> [B] or [B, P], a score for every patch; M: where t is generated,
    [B, 1 or C, H, W]; draw: the name of the random number that says where between.
    """
    if not weight or batch.step % params.every:
        return {}

    def of_images(t: Tensor) -> Tensor:
        return REDUCE[params.scores](scores(t).reshape(len(t), -1), dim=1)  # [B]

    a = batch.random.uniform(draw)  # [B]
    return {"gp": weight * params.every * gradient_penalty(of_images, x, y, M, a, params.region)}
