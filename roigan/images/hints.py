"""Colours given by hand at some pixels, spread to those that are near them and as light.

A normalised convolution (H. Knutsson, C.-F. Westin, CVPR 1993) of what the given colours lack, with the
weights of a joint bilateral filter; where no hint is near, it fades to nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

REACH = 0.15  # of a hint, in sides of the image: one standard deviation
LIKENESS = 0.16  # of lightness, on the scale [-1, 1]: 8 of 100


def spread(t: Tensor, given: Tensor, weight: Tensor) -> Tensor:
    """t, the coordinates (L, a, b) of an image [3, S, S], with a, b drawn to those that are given.

    given: a, b [2, S, S], which count by weight [S, S] in [0, 1]. With w(p, h) = weight(h) exp(-|p - h|^2 /
    (2 REACH^2) - (L(p) - L(h))^2 / (2 LIKENESS^2)), d(p) = sum_h w (given(h) - t(h)) / max(1, sum_h w).
    """
    at = weight.flatten() > 0  # [S*S]
    if not at.any():
        return t
    axis = torch.arange(t.shape[-1], device=t.device) / t.shape[-1]
    place = torch.cartesian_prod(axis, axis) / REACH  # [S*S, 2]
    seen = torch.cat([place, t[0].flatten()[:, None] / LIKENESS], 1)  # [S*S, 3]
    w = torch.cdist(seen, seen[at]).square().mul(-0.5).exp() * weight.flatten()[at]  # [S*S, H]
    missing = (given - t[1:]).flatten(1)[:, at]  # [2, H]
    d = w @ missing.T / w.sum(1, keepdim=True).clamp_min(1)  # [S*S, 2]
    return torch.cat([t[:1], t[1:] + d.T.unflatten(1, t.shape[1:])])
