"""Metrics against closed forms, and what they must be able to tell apart."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from roigan.evaluation.metrics import fid, kid, perceptual
from roigan.evaluation.metrics.border import jump
from roigan.evaluation.metrics.chroma import variation
from roigan.evaluation.metrics.diversity import diversity
from roigan.evaluation.metrics.ids import p_ids_and_u_ids
from roigan.evaluation.metrics.pixels import l1, psnr, ssim


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian(seed: int, features: int = 6) -> fid.Gaussian:
    return fid.statistics(torch.randn(50, features, generator=generator(seed)) * (seed + 1))


def test_fid_of_equal_covariances_is_the_distance_of_the_means() -> None:
    a = gaussian(0)
    shift = torch.arange(6.0, dtype=torch.float64)
    assert fid.distance(a, fid.Gaussian(a.mean + shift, a.covariance)) == pytest.approx(55.0)


def test_fid_of_commuting_covariances_is_the_distance_of_their_roots() -> None:
    zero = torch.zeros(3, dtype=torch.float64)
    a = fid.Gaussian(zero, torch.diag(torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64)))
    b = fid.Gaussian(zero, torch.diag(torch.tensor([4.0, 4.0, 1.0], dtype=torch.float64)))
    assert fid.distance(a, b) == pytest.approx(1 + 0 + 4)


def test_fid_agrees_with_the_matrix_square_root() -> None:
    from scipy.linalg import sqrtm

    a, b = gaussian(0), gaussian(1)
    root = sqrtm((a.covariance @ b.covariance).numpy()).real
    expected = (
        (a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace() - 2 * np.trace(root)
    )
    assert fid.distance(a, b) == pytest.approx(float(expected), rel=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 1000))
def test_fid_is_symmetric_and_not_negative(i: int, j: int) -> None:
    a, b = gaussian(i), gaussian(j)
    assert fid.distance(a, b) >= 0
    assert fid.distance(a, b) == pytest.approx(fid.distance(b, a), rel=1e-6, abs=1e-6)
    assert fid.distance(a, a) == pytest.approx(0, abs=1e-6 * a.covariance.trace().item())


def test_fid_is_finite_with_fewer_images_than_features() -> None:
    a = fid.statistics(torch.randn(3, 40, generator=generator(0)))
    b = fid.statistics(torch.randn(4, 40, generator=generator(1)))
    assert np.isfinite(fid.distance(a, b))


def test_a_single_image_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        fid.statistics(torch.zeros(1, 4))


def test_kid_is_the_mean_over_pairs() -> None:
    a, b = torch.randn(5, 3, generator=generator(0)), torch.randn(4, 3, generator=generator(1))

    def k(u: torch.Tensor, v: torch.Tensor) -> float:
        return float((u.double() @ v.double() / 3 + 1) ** 3)

    aa = np.mean([k(a[i], a[j]) for i in range(5) for j in range(5) if i != j])
    bb = np.mean([k(b[i], b[j]) for i in range(4) for j in range(4) if i != j])
    ab = np.mean([k(u, v) for u in a for v in b])
    assert kid.distance(a, b) == pytest.approx(aa + bb - 2 * ab)


def test_kid_is_unbiased() -> None:
    """Over many small samples of one distribution its mean is 0, which a biased estimator's is not."""
    values = [
        kid.distance(
            torch.randn(20, 4, generator=generator(i)), torch.randn(20, 4, generator=generator(i + 500))
        )
        for i in range(300)
    ]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))
    assert min(values) < 0


def region() -> torch.Tensor:
    M = torch.zeros(1, 1, 16, 16)
    M[:, :, 4:12, 4:12] = 1
    return M


def test_l1_looks_inside_only() -> None:
    M, x = region(), torch.zeros(1, 3, 16, 16)
    assert l1(x + M, x, M).item() == pytest.approx(0.5)  # a difference of 1 in [-1, 1]
    assert l1(x + 1 - M, x, M).item() == 0
    assert l1(x, x, torch.zeros_like(M)).isnan().all()


def test_psnr_of_a_known_error() -> None:
    x = torch.zeros(2, 3, 16, 16)
    y = torch.stack([x[0] + 0.2, x[1] + 0.02])  # 0.1 and 0.01 on the scale [0, 1]
    assert psnr(y, x).tolist() == pytest.approx([20, 40], abs=1e-3)


def test_psnr_of_an_equal_image_is_finite() -> None:
    assert psnr(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)).item() == pytest.approx(58.9, abs=0.05)


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_is_per_image_and_one_for_equal_images(channels: int) -> None:
    x = torch.rand(2, channels, 16, 16, generator=generator()) * 2 - 1
    y = x.clone()
    y[1] = -y[1]
    values = ssim(y, x)
    assert values[0].item() == pytest.approx(1)
    assert values[1].item() < 0.5


@pytest.mark.parametrize("shape", [(4, 3, 32, 32), (2, 1, 16, 24)])
def test_ssim_agrees_with_torchmetrics(shape: tuple[int, ...]) -> None:
    from torchmetrics.functional.image import structural_similarity_index_measure

    x = torch.rand(shape, generator=generator()) * 2 - 1
    y = (x + 0.5 * torch.rand(shape, generator=generator(1))).clamp(-1, 1)
    expected = structural_similarity_index_measure(y / 2 + 0.5, x / 2 + 0.5, data_range=1.0, reduction="none")
    assert torch.allclose(ssim(y, x), expected, atol=1e-5)


def test_border_counts_the_pairs_across_the_edge_and_no_others() -> None:
    M = region()
    assert jump(M, M).item() == 4 * 8  # each of the 32 pairs jumps by 1
    inside = torch.zeros(1, 1, 16, 16)
    inside[:, :, 6:10, 6:10] = 5  # contrast that does not touch the edge
    assert jump(inside, M).item() == 0


def test_chroma_sees_colours_inside_the_region_alone() -> None:
    M = region()
    grey = torch.rand(1, 1, 16, 16, generator=generator()).expand(1, 3, 16, 16)
    assert variation(grey, M).item() == 0  # however restless
    assert variation(grey[:, :1], M).item() == 0
    speck = torch.zeros(1, 3, 16, 16)
    speck[:, 0, 7, 7] = 1  # red: 1 on the red-green axis, -1/2 on the other, four neighbours
    assert variation(speck, M).item() == 4 * 1.5
    assert variation(speck, 1 - M).item() == 0
    red = M * torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    assert variation(red, M).item() == 0  # its edge is the border's


def test_diversity() -> None:
    M = region()
    same = torch.zeros(3, 1, 3, 16, 16)
    assert diversity(same, M).item() == 0
    levels = same + torch.tensor([0.0, 0.2, 0.6]).view(
        3, 1, 1, 1, 1
    )  # pairs: 0.2, 0.6, 0.4, halved on [0, 1]
    assert diversity(levels, M).item() == pytest.approx(0.2)
    assert diversity(levels * (1 - M), M).item() == 0


def test_a_linear_judge_sees_a_shift_and_nothing_else() -> None:
    """P-IDS and U-IDS: 0.5 for equal features, near it for another sample, 0 for a clear shift."""
    real, other = (torch.randn(200, 6, generator=generator(seed)) for seed in (0, 1))
    assert p_ids_and_u_ids(real, real) == (0.5, 0.5)
    assert min(p_ids_and_u_ids(other, real)) > 0.4
    assert max(p_ids_and_u_ids(other + 8, real)) == 0
    paired = real + torch.tensor([0.5, 0, 0, 0, 0, 0])  # a small shift of every single image
    p_ids, u_ids = p_ids_and_u_ids(paired, real)
    assert p_ids == 0 < 0.3 < u_ids  # the pairs give away what the crowd hides


def test_the_judge_needs_four_images() -> None:
    with pytest.raises(ValueError, match="at least 4 images, not 3"):
        p_ids_and_u_ids(torch.zeros(3, 2), torch.zeros(3, 2))


def test_perceptual_distance_looks_at_the_region_alone() -> None:
    a, b = torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 8, 8)
    b[:, :, :4] = 2.0
    M = torch.zeros(2, 1, 16, 16)
    M[0, :, :8] = 1  # the cells that differ
    M[1, :, 8:] = 1  # the others
    assert torch.equal(perceptual.distance([a], [b], M), torch.tensor([2.0, 0.0]))
    assert torch.equal(perceptual.distance([a, a], [b, a], M), torch.tensor([1.0, 0.0]))
