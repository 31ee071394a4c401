"""MIG and DCI of codes whose relation to the factors is known."""

from __future__ import annotations

import numpy as np
import pytest

from roigan.evaluation.metrics.disentangle import dci, mig

N = 3000


@pytest.fixture(scope="module")
def factors() -> np.ndarray:
    """Two continuous ones and a discrete one of three values."""
    random = np.random.default_rng(0)
    return np.column_stack([random.uniform(-1, 1, (N, 2)), random.integers(3, size=N)])


def test_codes_that_are_the_factors(factors: np.ndarray) -> None:
    codes = -factors[:, ::-1]
    assert mig(codes, factors) > 0.95
    found = dci(codes, factors)
    assert min(found.disentanglement, found.completeness, *found.informativeness) > 0.95
    assert np.allclose(found.importance, np.eye(3)[::-1], atol=0.02)


@pytest.mark.parametrize("told", [0.3, 0.6])
def test_noise_does_not_entangle_codes(told: float) -> None:
    """One factor to a code, of whose variance the code tells a part: what cannot be read is nobody's."""
    random = np.random.default_rng(0)
    codes = random.uniform(-1, 1, (2000, 10))
    noise = random.normal(0, np.sqrt((1 - told) / told / 3), (2000, 4))
    found = dci(codes, codes[:, :4] + noise)
    assert found.informativeness == pytest.approx(told, abs=0.1)
    assert min(found.disentanglement, found.completeness) > 0.7


def test_a_factor_that_two_codes_tell_has_no_gap(factors: np.ndarray) -> None:
    codes = factors[:, [0, 0, 1, 2]]
    assert mig(codes, factors) == pytest.approx(2 / 3, abs=0.04)
    found = dci(codes, factors)
    assert found.disentanglement > 0.95  # each code still tells one factor
    assert 0.7 < found.completeness < 0.9  # 1 - (log 2 / log 4) / 3 where both are used alike
    assert found.informativeness.min() > 0.95


def test_rotated_codes_are_entangled(factors: np.ndarray) -> None:
    a, b = factors[:, 0], factors[:, 1]
    codes = np.column_stack([a + b, a - b])
    assert mig(codes, factors[:, :2]) < 0.1
    found = dci(codes, factors[:, :2])
    assert max(found.disentanglement, found.completeness) < 0.1
    assert found.informativeness.min() > 0.9


def test_a_constant_factor_does_not_count(factors: np.ndarray) -> None:
    both = factors[:, :1] + factors[:, 1:2]
    alone, beside = (dci(factors, np.hstack([both, rest])) for rest in (both, np.ones((N, 1))))
    assert beside.completeness == pytest.approx(alone.completeness, abs=0.02)


def test_noise_tells_nothing(factors: np.ndarray) -> None:
    codes = np.random.default_rng(1).normal(size=(N, 3))
    assert mig(codes, factors) < 0.05
    assert dci(codes, factors).informativeness.max() < 0.05


def test_mig_of_a_known_channel() -> None:
    """A binary code that errs once in ten times tells log 2 minus the entropy of the errors."""
    factor = np.tile([0.0, 1.0], 500)
    code = factor.copy()
    code[:100] = 1 - code[:100]
    told = np.log(2) + 0.1 * np.log(0.1) + 0.9 * np.log(0.9)
    codes = np.column_stack([code, np.repeat([0.0, 1.0], 500)])
    assert mig(codes, factor[:, None]) == pytest.approx(told / np.log(2))
