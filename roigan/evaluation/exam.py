"""What a model is examined on, the same for all its rivals, and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor

from roigan.config import EvaluateParams, Params
from roigan.errors import UserError
from roigan.evaluation.bootstrap import Ranked, Scored
from roigan.features.network import FeatureNetwork
from roigan.systems.model import Model

SMALLEST = 4  # test images: two halves, each with a covariance


class Exam(NamedTuple):
    """What every competitor gets; `model` is the one that it is all about."""

    test: np.ndarray
    """uint8 [N, H, W, C]."""
    masks: Mapping[str, Tensor]
    """Family -> M [count, 1, H, W]."""
    features: FeatureNetwork
    """The judge."""
    params: Params
    model: Model


class Evaluation(NamedTuple):
    """What was measured, as a table and image by image."""

    table: pd.DataFrame
    """One row per method and family of masks, or set."""
    scored: Mapping[tuple[str, str], Scored | Ranked]
    """By (method, mask)."""


def chosen(test: np.ndarray, params: EvaluateParams) -> np.ndarray:
    """The test images in seeded random order, at most `limit` of them."""
    order = np.random.default_rng(params.seed).permutation(len(test))[: params.limit]
    if len(order) < SMALLEST:
        raise UserError(f"evaluation needs at least {SMALLEST} test images, there are {len(order)}")
    return np.asarray(test)[order]
