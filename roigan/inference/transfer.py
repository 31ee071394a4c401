"""An edit of a small generated image carried over onto a photograph, at the photograph's own resolution.

J.-Y. Zhu, P. Krähenbühl, E. Shechtman, A. A. Efros, Generative Visual Manipulation on the Natural Image
Manifold, ECCV 2016, section 4.1. Along a path of frames, every pixel's motion u and change of colour A are
found by turns, chained, enlarged along the photograph's edges and applied: y(p) = A(p) [x(p + u(p)); 1].
Ours: a frame is explained by the one before it, so that the chain runs forward as the photograph must; A is
a local least-squares fit that is drawn to the identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from roigan.image_io.lossless import LUMINANCE
from roigan.images.guided import guided_filter

ROUNDS = 3  # of flow and colours by turns
WINDOW = 15  # pixels of a frame that are taken to move together
SPREAD = 0.06  # of the window in which colours are fitted, as a share of the side
RIDGE = 1e-3  # of the pull to the identity, beside squares of colours in [0, 1]
EDGES = 1e-3  # variance of an edge of the photograph


class Edit(NamedTuple):
    """What happens to every pixel p of an image: y(p) = x' + D(p) [x'; 1] with x' = x(p + u(p))."""

    u: np.ndarray
    """float32 [H, W, 2], to the right and down, in pixels."""
    D: np.ndarray
    """float32 [H, W, C, C + 1]: A less the identity."""


def carried(edit: Edit, x: np.ndarray) -> np.ndarray:
    """y, of x, float32 [H, W, C]; what does not move or change stays bit for bit."""
    return recoloured(sampled(x, edit.u), edit.D)


def recoloured(x: np.ndarray, D: np.ndarray) -> np.ndarray:
    """A [x; 1]."""
    change: np.ndarray = np.einsum("hwij,hwj->hwi", D[..., :-1], x) + D[..., -1]
    return x + change


def sampled(field: np.ndarray, u: np.ndarray) -> np.ndarray:
    """field(p + u(p)), float32 [H, W, ...], between pixels; beyond the border it goes on as at the border."""
    height, width = u.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    flat = field.reshape(height, width, -1)
    parts = [
        cv2.remap(
            np.ascontiguousarray(flat[..., k]), x + u[..., 0], y + u[..., 1], cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for k in range(flat.shape[-1])
    ]  # fmt: skip
    return np.stack(parts, -1).reshape(field.shape)


def between(a: np.ndarray, b: np.ndarray, rounds: int = ROUNDS) -> Edit:
    """The edit that makes frame b of frame a, float32 [S, S, C] in [0, 1] each."""
    size, channels = a.shape[0], a.shape[-1]
    still, same = np.zeros((size, size, 2)), np.zeros((size, size, channels, channels + 1))
    edit = Edit(still.astype(np.float32), same.astype(np.float32))
    if np.array_equal(a, b):
        return edit
    for _ in range(rounds):
        near = carried(edit, a)  # what is left is small: b(p) = near(p + v(p))
        v = flow(b, near)
        u = v + sampled(edit.u, v)
        edit = Edit(u, colours(sampled(a, u), b, SPREAD * size))
    return edit


def flow(b: np.ndarray, a: np.ndarray) -> np.ndarray:
    """u with b(p) = a(p + u(p)) (Farneback 2003); float32 [S, S, C] in [0, 1] -> [S, S, 2].

    Both are continued beyond their borders, where OpenCV's flow is wrong: it moves an image onto itself.
    """
    wide_b, wide_a = (np.pad(_grey(frame), WINDOW, "edge") for frame in (b, a))
    u: np.ndarray = np.zeros((*wide_b.shape, 2), np.float32)
    cv2.calcOpticalFlowFarneback(wide_b, wide_a, u, 0.5, 3, WINDOW, 3, 5, 1.1, 0)
    return u[WINDOW:-WINDOW, WINDOW:-WINDOW]


def colours(a: np.ndarray, b: np.ndarray, spread: float) -> np.ndarray:
    """D with b = a + D [a; 1] around every pixel: least squares under a Gaussian of `spread` pixels."""
    f = np.concatenate([a, np.ones_like(a[..., :1])], -1).astype(np.float64)  # [H, W, C + 1]
    S = _blurred(f[..., :, None] * f[..., None, :], spread) + RIDGE * np.eye(f.shape[-1])
    R = _blurred((b - a).astype(np.float64)[..., :, None] * f[..., None, :], spread)  # [H, W, C, C + 1]
    D: np.ndarray = np.linalg.solve(S, R.swapaxes(-1, -2)).swapaxes(-1, -2)  # S is symmetric
    return D.astype(np.float32)


def chained(first: Edit, then: Edit) -> Edit:
    """One edit after the other: u_0n(p) = u_n(p) + u_0,n-1(p + u_n(p)), A alike."""
    before = Edit(sampled(first.u, then.u), sampled(first.D, then.u))
    whole = np.zeros((*before.D.shape[:2], before.D.shape[3], before.D.shape[3]), np.float32)
    whole[..., :-1, :] = before.D
    return Edit(then.u + before.u, before.D + then.D + then.D @ whole)


def along(frames: Sequence[np.ndarray], rounds: int = ROUNDS) -> Edit:
    """The edit that makes the last frame of the first, by way of those between; float32 [S, S, C] each."""
    steps = [between(a, b, rounds) for a, b in pairwise(frames)]
    return reduce(chained, steps)


def enlarged(edit: Edit, x: np.ndarray) -> Edit:
    """The edit at the resolution of a photograph x, float32 [H, W, C], along whose edges it is refined."""
    side, small = x.shape[0], edit.u.shape[0]
    scale = side / small
    u = _resized(edit.u, x.shape) * np.float32(scale)
    D = _resized(edit.D.reshape(small, edit.u.shape[1], -1), x.shape)
    guide = _grey(sampled(x, u)) / 255
    radius = max(1, round(scale))
    u = guided_filter(u, guide, radius, EDGES)
    return Edit(u, guided_filter(D, guide, radius, EDGES).reshape(*x.shape[:2], *edit.D.shape[2:]))


def _resized(field: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    parts = [
        cv2.resize(np.ascontiguousarray(field[..., k]), (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
        for k in range(field.shape[-1])
    ]
    return np.stack(parts, -1)


def _blurred(products: np.ndarray, spread: float) -> np.ndarray:
    flat = products.reshape(*products.shape[:2], -1)
    parts = [
        cv2.GaussianBlur(np.ascontiguousarray(flat[..., k]), (0, 0), spread, borderType=cv2.BORDER_REFLECT)
        for k in range(flat.shape[-1])
    ]
    return np.stack(parts, -1).reshape(products.shape)


def _grey(image: np.ndarray) -> np.ndarray:
    """float32 [H, W, 1 or 3] in [0, 1] -> [H, W] in [0, 255]: the flow has thresholds on that scale."""
    grey = image[..., 0] if image.shape[-1] == 1 else (image @ LUMINANCE)[..., 0]
    return np.ascontiguousarray(grey * np.float32(255))
