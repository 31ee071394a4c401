"""Sharpness: how much detail a completed region has (ours).

The mean change of brightness between neighbouring pixels of the region, divided by that of the real images at
the same places. 1 is what real images have; a blurred filling, the mean of many, lies below. Noise is sharp
too: read it beside FID.
"""

from __future__ import annotations

from torch import Tensor

from roigan.evaluation.metrics.chroma import change_within
from roigan.images.colours import brightness


def contrast(y: Tensor, M: Tensor) -> Tensor:
    """Sum of |difference| of the brightness of all horizontal and vertical neighbours that both lie in M.

    y [B, C, H, W], M [B, 1, H, W] in {0, 1} -> scalar, float64. The quotient of two such sums, over a whole
    test set, is the score.
    """
    return change_within(brightness(y), M)
