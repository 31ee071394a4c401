"""How well scores tell anomalies from normal images: average precision, AUROC, and what passes a threshold.

Higher scores are more anomalous; equal scores are one threshold. AP is the step-wise sum of precisions over
recalls, not the area under straight lines, which flatters. The values are scikit-learn's.
"""

from __future__ import annotations

import torch
from torch import Tensor

PASSING = 0.95  # share of the normal images that pass the threshold of FPR95


def ranking(normal: Tensor, anomalous: Tensor, weights: Tensor | None = None) -> dict[str, Tensor]:
    """AP, the same with the normal images positive, AUROC, FPR95: each [R].

    normal: scores [N]; anomalous: scores [A]; weights: [R, N + A], how often each image counts in each of R
    draws; None: once, and R is 1. Raises ValueError for scores that are no numbers.
    """
    scores = torch.cat([normal, anomalous]).double()
    if scores.isnan().any():
        raise ValueError("a score is no number")
    if weights is None:
        weights = torch.ones(1, len(scores), dtype=torch.float64)
    positive = torch.arange(len(scores)) >= len(normal)
    hits, alarms = _curve(scores, positive, weights.double())
    found, lost = _curve(-scores, ~positive, weights.double())
    rates = [_shares(counts) for counts in (hits, alarms)]  # true and false positive rate, [R, K + 1] from 0
    area = (rates[1].diff() * (rates[0][:, 1:] + rates[0][:, :-1]) / 2).sum(1)
    allowed = (rates[1] <= 1 - PASSING + 1e-12).sum(1, keepdim=True) - 1  # last threshold that passes so many
    return {
        "ap": _average_precision(hits, alarms),
        "ap_normal": _average_precision(found, lost),
        "auroc": area,
        "fpr95": 1 - rates[0].gather(1, allowed)[:, 0],
    }


def _curve(scores: Tensor, positive: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """True and false positives [R, K] at every distinct score, from the highest down."""
    order = scores.argsort(descending=True)
    ordered, counted = scores[order], weights[:, order]
    ends = torch.cat([ordered[1:] != ordered[:-1], torch.ones(1, dtype=torch.bool)])  # of equal scores
    true = (counted * positive[order]).cumsum(1)[:, ends]
    return true, counted.cumsum(1)[:, ends] - true


def _shares(counts: Tensor) -> Tensor:
    """[R, K] -> [R, K + 1] from 0 to 1."""
    return torch.nn.functional.pad(counts / counts[:, -1:], (1, 0))


def _average_precision(true: Tensor, false: Tensor) -> Tensor:
    """sum over thresholds of (R_k - R_{k-1}) P_k, [R]."""
    precision = true / (true + false).clamp_min(1e-300)
    return (_shares(true).diff() * precision).sum(1)


def draws(normal: int, anomalous: int, count: int, generator: torch.Generator) -> Tensor:
    """Bootstrap weights [count, N + A]: normal images and anomalies are drawn anew, each kind for itself."""
    parts = []
    for n in (normal, anomalous):
        drawn = torch.randint(n, (count, n), generator=generator)
        parts.append(torch.zeros(count, n).scatter_add_(1, drawn, torch.ones(count, n)))
    return torch.cat(parts, 1)
