"""Kernel inception distance (Binkowski et al. 2018, "Demystifying MMD GANs").

The squared maximum mean discrepancy between two sets of features under the kernel

    k(a, b) = (a.b / F + 1)^3

by the unbiased estimator over the whole sets (the paper averages random blocks for speed; a few thousand
images need none). Unlike FID its expectation does not depend on the number of images: it is 0 for
two samples of the same distribution, and single values may be slightly negative.
"""

from __future__ import annotations

from torch import Tensor


def distance(a: Tensor, b: Tensor) -> float:
    """Unbiased squared MMD between features a [N, F] and b [K, F], N and K >= 2."""
    if min(len(a), len(b)) < 2:
        raise ValueError(f"KID needs at least 2 images on both sides, not {len(a)} and {len(b)}")
    a, b = a.double(), b.double()
    return _mean_of_pairs(a) + _mean_of_pairs(b) - 2 * _kernel(a, b).mean().item()


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    """[N, F], [K, F] -> [N, K]."""
    return (a @ b.T / a.shape[1] + 1) ** 3


def _mean_of_pairs(a: Tensor) -> float:
    """Mean kernel of two different elements."""
    k = _kernel(a, a)
    return ((k.sum() - k.trace()) / (len(a) * (len(a) - 1))).item()
