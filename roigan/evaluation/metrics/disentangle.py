"""How well codes and known factors match, one to one: MIG and DCI.

MIG (Chen et al. 2018, "Isolating sources of disentanglement in VAEs"): for every factor, the mutual
information of the code that tells most of it minus that of the second best, over the factor's entropy.

DCI (Eastwood and Williams 2018): random forests read every factor from all codes. Disentanglement is 1 where
every code matters for one factor only, completeness where every factor needs one code only; informativeness
says how well the factors can be read at all (here: R2, or accuracy above chance, on held-out rows), without
which the other two mean nothing.

Codes are [N, K], factors [N, F]; a factor with at most BINS different values counts as discrete. A few
thousand rows: MIG's histograms and DCI's forests see a little structure in few.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BINS = 20
TREES = 50
DEPTHS = (2, 4, 8, None)  # None: full-grown


def mig(codes: np.ndarray, factors: np.ndarray) -> float:
    """Mean gap over the factors that vary, in [0, 1]; K >= 2."""
    gaps = []
    for factor in factors.T:
        joint = np.stack([_joint(code, factor) for code in codes.T])  # [K, BINS, BINS], each of sum 1
        entropy = _entropy(joint[0].sum(0))
        if entropy == 0:
            continue
        told = [_entropy(p.sum(1)) + _entropy(p.sum(0)) - _entropy(p) for p in joint]
        second, best = sorted(told)[-2:]
        gaps.append((best - second) / entropy)
    return float(np.mean(gaps))


def _joint(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Shares of the pairs of bins: [BINS, BINS]."""
    return np.histogram2d(_bins(a), _bins(b), BINS, ((-0.5, BINS - 0.5),) * 2)[0] / len(a)


def _bins(values: np.ndarray) -> np.ndarray:
    """The bin of every value: its own for each of a few, else bins of equal width."""
    different, index = np.unique(values, return_inverse=True)
    if len(different) <= BINS:
        return index
    low, high = different[0], different[-1]
    return np.minimum(((values - low) / (high - low) * BINS).astype(int), BINS - 1)


def _entropy(p: np.ndarray) -> float:
    """In nats; of a distribution of any shape."""
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


class DCI(NamedTuple):
    """Scores in [0, 1], 1 is best."""

    disentanglement: float
    completeness: float
    informativeness: np.ndarray
    """[F]; 0 where a factor cannot be read."""
    importance: np.ndarray
    """[K, F]: the share of each code in reading a factor; columns of sum 1, of a constant factor 0."""


def dci(codes: np.ndarray, factors: np.ndarray, seed: int = 0) -> DCI:
    """Forests learn from the first two thirds of the rows and are examined on the others; K and F >= 2.

    How deep a factor's trees grow is decided within the first two thirds: those of the best depth are kept.
    """
    read = [_read(codes, factor, seed) for factor in factors.T]
    importance = np.stack([shares for shares, _ in read], 1)
    of_codes = importance.sum(1)
    varies = importance.sum(0) > 0  # a constant factor has no codes to be spread over
    by_code = 1 - _spread(importance / np.maximum(of_codes[:, None], 1e-12))
    return DCI(
        float(by_code @ of_codes / of_codes.sum()),
        float(np.mean(1 - _spread(importance.T[varies]))) if varies.any() else 0.0,
        np.array([score for _, score in read]),
        importance,
    )


def _read(codes: np.ndarray, factor: np.ndarray, seed: int) -> tuple[np.ndarray, float]:
    """(importances of the codes [K], what is read of the factor)."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    values, index = np.unique(factor, return_inverse=True)
    discrete = len(values) <= BINS
    answers = index if discrete else factor
    taught = 2 * len(codes) // 3
    tried = 2 * taught // 3

    def learn(rows: int, depth: int | None) -> RandomForestClassifier | RandomForestRegressor:
        kind = RandomForestClassifier if discrete else RandomForestRegressor
        forest = kind(TREES, max_depth=depth, max_features=None, random_state=seed)
        return forest.fit(codes[:rows], answers[:rows])

    # full-grown trees learn the noise by heart, and spend on it what they credit the codes with
    depth = max(DEPTHS, key=lambda d: learn(tried, d).score(codes[tried:taught], answers[tried:taught]))
    forest = learn(taught, depth)
    score = forest.score(codes[taught:], answers[taught:])
    if discrete:
        chance = np.bincount(index[taught:]).max() / len(index[taught:])
        score = (score - chance) / max(1 - chance, 1e-12)
    return forest.feature_importances_, max(0.0, float(score))


def _spread(shares: np.ndarray) -> np.ndarray:
    """Entropy of every row, 1 for a uniform one."""
    return np.array([_entropy(row) for row in shares]) / np.log(shares.shape[1])
