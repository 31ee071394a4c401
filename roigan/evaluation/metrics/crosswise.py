"""Distances between two sets of features that share their images, without comparing an image with itself.

The completed images of one half are measured against the real images of the other, and the two values are
averaged. Rows are expected in random order; row i of both sets stems from the same image.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

from torch import Tensor

from roigan.evaluation.metrics import fid, kid


def crosswise_fid(completed: Tensor, real: Tensor) -> float:
    """FID; completed, real: features [N, F], N >= 4."""
    return _crosswise(lambda a, b: fid.distance(fid.statistics(a), fid.statistics(b)), completed, real)


def crosswise_kid(completed: Tensor, real: Tensor) -> float:
    """KID; completed, real: features [N, F], N >= 4."""
    return _crosswise(kid.distance, completed, real)


def _crosswise(distance: Callable[[Tensor, Tensor], float], completed: Tensor, real: Tensor) -> float:
    half = len(real) // 2
    return statistics.fmean(
        [distance(completed[:half], real[half:]), distance(completed[half:], real[:half])]
    )
