"""Masks: the shapes' closed forms, the same bytes everywhere, packing, and the promise outside the region."""

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from roigan.corruptions.cache import load_cache, save_cache
from roigan.corruptions.families import FAMILIES, ellipse, mixture, rectangle, scattered
from roigan.corruptions.sampling import CachedSampler, Sampler, draw, sample
from roigan.errors import UserError
from roigan.images.blending import complete


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [16, 64])
def test_every_mask_has_a_region_and_is_binary(family: str, size: int) -> None:
    M = sample(family, 200, size, torch.Generator().manual_seed(0))
    assert M.shape == (200, 1, size, size)
    assert set(M.unique().tolist()) <= {0.0, 1.0}
    assert M.flatten(1).sum(1).min() > 0


# Recorded once; they hold on every machine, since caches are drawn in float64 from integer generators.
DIGESTS = {
    "rectangle": "c22d41202714a254",
    "ellipse": "89cff31214f9ec2e",
    "mixture": "fa57c289b17e179d",
    "half": "da1a35576d1fb855",
    "centre": "25b0e5fbd9525e79",
    "border": "8496d04fbd661978",
    "free_form": "2b992e5b476aef70",
    "scattered": "6a31b15670749473",
    "top": "f07b85bde59b6506",  # one row: the default share is below half of one
    "whole": "7d2c7ac4888bfd75",
    "grey": "7d2c7ac4888bfd75",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_bytes_on_every_machine(family: str) -> None:
    M = sample(family, 64, 32, torch.Generator().manual_seed(7))
    digest = hashlib.sha256(np.packbits(M.numpy() > 0.5).tobytes()).hexdigest()[:16]
    assert digest == DIGESTS[family]


def test_rectangle_is_the_redrawn_pair_of_corners() -> None:
    """Areas follow (3.1) with empty rectangles redrawn: E width = (n+1)/3 + ... over all unequal pairs."""
    size = 8
    M = rectangle(torch.rand(20000, 4, generator=torch.Generator().manual_seed(1)), size)
    widths = M.any(1).sum(1).float()
    pairs = [abs(a - b) for a in range(size + 1) for b in range(size + 1) if a != b]
    assert widths.mean().item() == pytest.approx(np.mean(pairs), abs=0.05)
    assert widths.min() == 1
    assert widths.max() == size


def test_ellipse_is_the_density_above_half_its_maximum() -> None:
    """(3.4)-(3.5) evaluated as printed, with Sigma as the covariance."""
    size, u = 32, torch.rand(20, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for mine, row in zip(ellipse(u, size), u, strict=True):
        mean = size / 2 + math.sqrt(size) * torch.special.ndtri(row[:2])
        rho = 0.8 * (2 * row[2] - 1)
        sx, sy = (size * (1 / 5 + (1 / 3 - 1 / 5) * row[i]) for i in (3, 4))
        covariance = torch.stack([sx**2, rho * sx * sy, rho * sx * sy, sy**2]).reshape(2, 2)
        density = torch.distributions.MultivariateNormal(mean, covariance)
        axis = torch.arange(size, dtype=torch.float64) + 0.5
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        log_f = density.log_prob(torch.stack([x, y], -1))
        assert torch.equal(mine, log_f > density.log_prob(mean) + math.log(0.5))


def test_mixture_is_above_half_the_maximum_of_the_realised_density() -> None:
    size, u = 32, torch.rand(5, 15 * 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    axis = torch.arange(size, dtype=torch.float64) + 0.5
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    for mine, rows in zip(mixture(u, size), u.reshape(5, 15, 6), strict=True):
        weights = torch.softmax(2 * rows[:, 5] - 1, 0)
        f = torch.zeros(size, size, dtype=torch.float64)
        for row, weight in zip(rows, weights, strict=True):
            mean = size / 2 + math.sqrt(size) * torch.special.ndtri(row[:2])
            rho = 0.9 * (2 * row[2] - 1)
            sx, sy = (size * (1 / 10 + (1 / 6 - 1 / 10) * row[i]) for i in (3, 4))
            covariance = torch.stack([sx**2, rho * sx * sy, rho * sx * sy, sy**2]).reshape(2, 2)
            normal = torch.distributions.MultivariateNormal(mean, covariance)
            f += weight * normal.log_prob(torch.stack([x, y], -1)).exp()
        assert torch.equal(mine, f > f.max() / 2)


def test_scattered_keeps_exactly_the_share() -> None:
    u = torch.rand(10, 28 * 28, generator=torch.Generator().manual_seed(4))
    known = (~scattered(u, 28, 0.005)).flatten(1).sum(1)
    assert known.tolist() == [4] * 10


def test_float32_and_float64_draw_the_same_shapes() -> None:
    """The training device's masks are those of the caches but for pixels on the very edge."""
    for family in FAMILIES:
        u = torch.rand(50, FAMILIES[family].draws(32), generator=torch.Generator().manual_seed(5))
        differing = (draw(family, u, 32) != draw(family, u.double(), 32)).float().mean()
        assert differing < 1e-3, family


def test_sampler_keeps_the_proportions() -> None:
    sampler = Sampler({"half": 3, "centre": 1, "border": 0}, 16)
    M = sampler(torch.rand(4000, sampler.draws, generator=torch.Generator().manual_seed(6)))
    centred = (M.flatten(1).mean(1) == 0.25).float().mean().item()
    assert centred == pytest.approx(0.25, abs=0.03)
    assert not (M.flatten(1).mean(1) == 0.75).any()


def test_a_mask_depends_on_its_own_row_alone() -> None:
    sampler = Sampler({"ellipse": 1, "rectangle": 1, "mixture": 1}, 32)
    u = torch.rand(12, sampler.draws, generator=torch.Generator().manual_seed(8))
    assert torch.equal(sampler(u)[6:], sampler(u[6:]))


def test_cached_sampler_returns_cached_masks() -> None:
    caches = {f: sample(f, 5, 16, torch.Generator().manual_seed(1)) for f in ("ellipse", "half")}
    sampler = CachedSampler({"ellipse": 1, "half": 1}, caches)
    known = {m.numpy().tobytes() for cache in caches.values() for m in cache}
    M = sampler(torch.rand(40, sampler.draws))
    assert {m.numpy().tobytes() for m in M} <= known


EXTREMES = (0.0, 2**-53, 0.5, 1 - 2**-53)  # torch.rand gives 0, and never 1


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from([8, 16, 28, 32]), st.integers(0, 2**31 - 1), st.sampled_from(EXTREMES), st.floats(0, 1)
)
def test_any_uniform_numbers_make_a_mask(
    family: str, size: int, seed: int, extreme: float, share: float
) -> None:
    """Also the rarest: a normal quantile of 0 is infinite."""
    generator = torch.Generator().manual_seed(seed)
    u = torch.rand(3, FAMILIES[family].draws(size), generator=generator, dtype=torch.float64)
    u[torch.rand(u.shape, generator=generator) < share] = extreme
    M = draw(family, u, size)
    assert M.shape == (3, 1, size, size)
    assert set(M.unique().tolist()) <= {0.0, 1.0}
    assert M.flatten(1).any(1).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 19), st.integers(0, 2**31 - 1))
def test_packing_is_lossless(count: int, side: int, seed: int) -> None:
    import tempfile
    from pathlib import Path

    M = torch.randint(2, (count, 1, side, side), generator=torch.Generator().manual_seed(seed)).float()
    with tempfile.TemporaryDirectory() as folder:
        save_cache(Path(folder) / "some.npz", M)
        assert torch.equal(load_cache(Path(folder) / "some.npz"), M)


def test_a_missing_or_damaged_cache_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run the stage `masks`"):
        load_cache(tmp_path / "none.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(UserError, match="damaged"):
        load_cache(tmp_path / "bad.npz")


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_outside_the_region_not_a_bit_changes(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(3, 3, 8, 8, generator=generator)
    x[0, 0, 0, 0], x[0, 0, 0, 1] = float("nan"), -0.0  # arithmetic would not bring these back
    M = torch.randint(2, (3, 1, 8, 8), generator=generator).float()
    M[0, 0, 0, :2] = 0
    G = torch.full_like(x, float("inf"))
    y = complete(x, G, M)
    outside = (M == 0).expand_as(x)
    assert y[outside].numpy().tobytes() == x[outside].numpy().tobytes()
    assert torch.isinf(y[~outside]).all()
