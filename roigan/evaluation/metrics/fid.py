"""Frechet inception distance (Heusel et al. 2017, "GANs trained by a two time-scale update rule").

The squared Frechet distance between two Gaussians fitted to features:

    ||m1 - m2||^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))

0 is best. The estimate is too high for few images, by an amount that depends on the features: only numbers
from the same feature network and the same number of images compare.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Gaussian(NamedTuple):
    """Mean [F] and covariance [F, F] of a set of features, float64."""

    mean: Tensor
    covariance: Tensor


def statistics(features: Tensor) -> Gaussian:
    """Fit a Gaussian to features [N, F], N >= 2 (unbiased covariance)."""
    if len(features) < 2:
        raise ValueError(f"a covariance needs at least 2 images, not {len(features)}")
    f = features.double()
    centred = f - f.mean(0)
    return Gaussian(f.mean(0), centred.T @ centred / (len(f) - 1))


def distance(a: Gaussian, b: Gaussian) -> float:
    """Squared Frechet distance, >= 0. Finite for singular covariances too (fewer images than features).

    tr (S1 S2)^(1/2) is the sum of the square roots of the eigenvalues of S1^(1/2) S2 S1^(1/2), which is
    symmetric and positive: no complex numbers, nothing added to the diagonal.
    """
    root = _symmetric_root(a.covariance)
    product = root @ b.covariance @ root
    overlap = torch.linalg.eigvalsh((product + product.T) / 2).clamp_min(0).sqrt().sum()
    total = (a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace() - 2 * overlap
    return max(0.0, total.item())  # rounding may leave -1e-12


def _symmetric_root(S: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(S)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T
