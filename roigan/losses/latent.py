"""Losses on what an image is described by: the VAE's divergence, the information with the controls, and the
divergence of class distributions."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor


def kl_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, exp(logvar)) || N(0, 1)) (1.6), mean over images and dimensions; mu, logvar: [B, d].

    (1.6) is the sum over dimensions: d times as much.
    """
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).mean()


def gaussian_nll(c: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """-log Q(c|y) for a Gaussian Q, summed over sliders, mean over images (3.15, with its square).

    c, mu, logvar: [B, sliders].
    """
    return 0.5 * ((c - mu).square() * (-logvar).exp() + logvar + math.log(2 * math.pi)).sum(1).mean()


def categorical_nll(k: Tensor, logits: Tensor) -> Tensor:
    """-log Q(k|y) for categorical codes, summed over codes, mean over images; (3.16) takes their mean.

    k: int64 [B, codes]; logits: [B, codes, values]. Chance level is codes * log(values).
    """
    return F.cross_entropy(logits.transpose(1, 2), k, reduction="none").sum(1).mean()


def kl_categorical(p: Tensor, logits: Tensor) -> Tensor:
    """KL(p || softmax(logits)), mean over images; p: [B, classes], rows that sum to 1; logits: like p."""
    return F.kl_div(F.log_softmax(logits, 1), p, reduction="batchmean")
