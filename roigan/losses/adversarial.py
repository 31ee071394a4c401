"""Adversarial losses and the penalties on a discriminator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor


def hinge_d(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss of D: E max(0, 1 - D(x)) + E max(0, 1 + D(y)); scores of any shape. 2 is a dead D."""
    return torch.relu(1 - real).mean() + torch.relu(1 + fake).mean()


def hinge_g(fake: Tensor) -> Tensor:
    """Hinge loss of G: -E D(y)."""
    return -fake.mean()


def log_d(real: Tensor, fake: Tensor) -> Tensor:
    """Log loss of D on logits: -E log D(x) - E log(1 - D(y)) (Goodfellow et al. 2014). 2 log 2: dead."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def log_g(fake: Tensor) -> Tensor:
    """Log loss of G on logits: -E log D(y), which has a gradient where E log(1 - D(y)) has none left."""
    return F.softplus(-fake).mean()


def wasserstein_d(real: Tensor, fake: Tensor) -> Tensor:
    """Loss of a critic D: E D(y) - E D(x), kept finite by a penalty (Arjovsky et al. 2017). 0 is a dead D."""
    return fake.mean() - real.mean()


def wasserstein_g(fake: Tensor) -> Tensor:
    """Loss of G against a critic: -E D(y)."""
    return -fake.mean()


def zero_centred(real: Tensor) -> Tensor:
    """Mean square of D's scores of real images (3.13), the drift term of Karras et al. 2018."""
    return real.square().mean()


def beyond(scores: Tensor) -> Tensor:
    """Smooth bound: d(D, [-1, 1])^2 = max(0, |D| - 1)^2, of any shape (Chatillon and Ballester 2020)."""
    return torch.relu(scores.abs() - 1).square()


Region = Literal["inside", "outside", "everywhere"]


def gradient_penalty(
    scores: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, M: Tensor, a: Tensor, region: Region
) -> Tensor:
    """E (||R * grad_t s(t)||_2 - 1)^2 with t = a*x + (1-a)*y (3.10).

    scores: t [B, C, H, W] -> one number per image [B]; x, y: like t; M: [B, 1, H, W]; a: [B] in [0, 1].
    R is M (`inside`), 1-M (`outside`: the equation as printed) or 1 (`everywhere`: Gulrajani et al. 2017).
    """
    a = a[:, None, None, None]
    t = (a * x + (1 - a) * y).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(scores(t).sum(), t, create_graph=True)
    R = {"inside": M, "outside": 1 - M, "everywhere": torch.ones_like(M)}[region]
    # the small constant keeps the norm differentiable where the gradient is exactly zero
    norm = ((R * gradient.float()).flatten(1).square().sum(1) + 1e-12).sqrt()  # [B]
    return (norm - 1).square().mean()
