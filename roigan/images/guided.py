"""The guided filter: a field takes the edges of a picture. By box sums, so that its radius costs nothing.

K. He, J. Sun, X. Tang, Guided Image Filtering, ECCV 2010, equations (5), (6) and (8).
"""

from __future__ import annotations

import cv2
import numpy as np


def guided_filter(field: np.ndarray, guide: np.ndarray, radius: int, eps: float) -> np.ndarray:
    """field, float32 [H, W, K], smoothed but along the edges of guide, float32 [H, W] in [0, 1].

    eps: variance of the guide below which nothing is an edge. Radius 0 gives the field itself, and a constant
    stays.
    """
    i, p = guide[..., None].astype(np.float64), field.astype(np.float64)
    i_mean, p_mean = _mean(i, radius), _mean(p, radius)
    a = (_mean(i * p, radius) - i_mean * p_mean) / (_mean(i * i, radius) - i_mean**2 + eps)  # (5)
    b = p_mean - a * i_mean  # (6)
    filtered: np.ndarray = (_mean(a, radius) * i + _mean(b, radius)).astype(np.float32)  # (8)
    return filtered


def _mean(values: np.ndarray, radius: int) -> np.ndarray:
    """Over squares of 2 radius + 1 pixels [H, W, K]."""
    side = 2 * radius + 1
    parts = [
        cv2.blur(np.ascontiguousarray(values[..., k]), (side, side), borderType=cv2.BORDER_REFLECT)
        for k in range(values.shape[-1])
    ]
    return np.stack(parts, -1)
