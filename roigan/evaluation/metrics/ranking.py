"""How well scores tell anomalies from normal images: average precision, AUROC, and what passes a threshold.

Higher scores are more anomalous; equal scores are one threshold. AP is the step-wise sum of precisions over
recalls, not the area under straight lines, which flatters. The values are scikit-learn's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

PASSING = 0.95  # share of the normal images that pass the threshold of FPR95


def ranking(normal: Tensor, anomalous: Tensor, weights: Tensor | None = None) -> dict[str, Tensor]:
    """AP, the same with the normal images positive, AUROC, FPR95: each [R].

    normal: scores [N]; anomalous: scores [A]; weights: [R, N + A], how often each image counts in each of R
    draws; None: once, and R is 1. Raises ValueError for scores that are no numbers.
    """
    hits, alarms = _curve(normal, anomalous, weights)
    return {
        "ap": _average_precision(hits, alarms),
        "ap_normal": ap_normal(normal, anomalous, weights),
        "auroc": _area(hits, alarms),
        "fpr95": _passing(hits, alarms),
    }


def ap_and_auroc(normal: Tensor, anomalous: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """The two that have intervals, at half the price."""
    curve = _curve(normal, anomalous, weights)
    return {"ap": _average_precision(*curve), "auroc": _area(*curve)}


def ap_normal(normal: Tensor, anomalous: Tensor, weights: Tensor | None = None) -> Tensor:
    """AP [R] of the normal images, the lowest score first."""
    if weights is not None:
        weights = weights.roll(len(anomalous), 1)  # those of the anomalies first
    return _average_precision(*_curve(-anomalous, -normal, weights))


def _curve(negative: Tensor, positive: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
    """True and false positives [R, K] at every distinct score, from the highest down; float32 holds counts up
    to 16 million exactly."""
    scores = torch.cat([negative, positive])
    if scores.isnan().any():
        raise ValueError("a score is no number")
    ordered, order = scores.sort(descending=True)
    counted = torch.ones(1, len(scores)) if weights is None else weights[:, order]
    ends = torch.cat([ordered[1:] != ordered[:-1], torch.ones(1, dtype=torch.bool)])  # of equal scores
    every = counted.cumsum(1)[:, ends]
    true = (counted * (order >= len(negative))).cumsum(1)[:, ends]
    return true, every - true


def _shares(counts: Tensor) -> Tensor:
    """[R, K] -> [R, K + 1] from 0 to 1."""
    return F.pad(counts.double() / counts[:, -1:], (1, 0))


def _average_precision(true: Tensor, false: Tensor) -> Tensor:
    """sum over thresholds of (R_k - R_{k-1}) P_k, [R]."""
    precision = true.double() / (true + false).clamp_min(1)
    return (_shares(true).diff() * precision).sum(1)


def _area(true: Tensor, false: Tensor) -> Tensor:
    """AUROC [R]: equal scores count half."""
    rate, alarms = _shares(true), _shares(false)
    return (alarms.diff() * (rate[:, 1:] + rate[:, :-1]) / 2).sum(1)


def _passing(true: Tensor, false: Tensor) -> Tensor:
    """FPR95 [R]: at the last threshold that 95 % of the normal images pass."""
    last = (_shares(false) <= 1 - PASSING + 1e-12).sum(1, keepdim=True) - 1
    return 1 - _shares(true).gather(1, last)[:, 0]


def draws(normal: int, anomalous: int, count: int, generator: torch.Generator) -> Tensor:
    """Bootstrap weights [count, N + A]: normal images and anomalies are drawn anew, each kind for itself."""
    parts = []
    for n in (normal, anomalous):
        drawn = torch.randint(n, (count, n), generator=generator)
        parts.append(torch.zeros(count, n).scatter_add_(1, drawn, torch.ones(count, n)))
    return torch.cat(parts, 1)
