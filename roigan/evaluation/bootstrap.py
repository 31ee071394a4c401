"""How far chance in the choice of test images moves a difference between two methods: the bootstrap.

B. Efron, Bootstrap Methods: Another Look at the Jackknife, 1979. The test images are drawn anew with
replacement, the same ones for both methods, and the difference is measured again. Its standard deviation
over the draws is taken, and not its quantiles: FID grows when images repeat, which shifts the draws.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from roigan.evaluation.metrics import ranking
from roigan.evaluation.metrics.crosswise import crosswise_fid, crosswise_kid


class Scored(NamedTuple):
    """What was measured of a method under one family of masks, image by image."""

    means: dict[str, Tensor]
    """Metric -> [N]; its value for the set is the mean."""
    embedded: Tensor
    """Features of the completed images [N, F]."""


class Ranked(NamedTuple):
    """What a method said of a set: scores, higher = more anomalous."""

    normal: Tensor
    """[N]."""
    foreign: Tensor
    """[A]."""


OF_FEATURES: dict[str, Callable[[Tensor, Tensor], float]] = {"fid": crosswise_fid, "kid": crosswise_kid}


def deviation(
    metric: str, mine: Scored, other: Scored | None, real: Tensor, draws: int, seed: int
) -> float | None:
    """The standard deviation of metric(mine) - metric(other), or of metric(mine) alone.

    real: features of the real images [N, F]. None for the metrics that are no means over images and too dear
    to measure again and again (P-IDS, U-IDS, border, chroma, diversity).
    """
    if metric not in OF_FEATURES and metric not in mine.means:
        return None
    generator = torch.Generator().manual_seed(seed)
    differences = []
    for _ in range(draws):
        rows = _draw(len(real), generator)
        value = _value(metric, mine, real, rows)
        differences.append(value - (_value(metric, other, real, rows) if other else 0.0))
    return statistics.stdev(differences)


def ranked_deviation(metric: str, mine: Ranked, other: Ranked | None, draws: int, seed: int) -> float | None:
    """The same of scores: normal images and foreign ones are drawn anew, each kind for itself. None where the
    methods have not scored the same images."""
    sizes = [(len(pair.normal), len(pair.foreign)) for pair in (mine, other or mine)]
    if sizes[0] != sizes[1]:
        return None
    weights = ranking.draws(*sizes[0], draws, torch.Generator().manual_seed(seed))
    value = ranking.ranking(*mine, weights)[metric]
    return (value - (ranking.ranking(*other, weights)[metric] if other else 0)).std().item()


def _draw(count: int, generator: torch.Generator) -> Tensor:
    """Rows drawn with replacement within each half: an image in both would be compared with itself."""
    half = count // 2
    first = torch.randint(half, (half,), generator=generator)
    second = torch.randint(half, count, (count - half,), generator=generator)
    return torch.cat([first, second])


def _value(metric: str, scored: Scored, real: Tensor, rows: Tensor) -> float:
    if metric in OF_FEATURES:
        return OF_FEATURES[metric](scored.embedded[rows], real[rows])
    return scored.means[metric][rows].nanmean().item()
