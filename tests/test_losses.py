"""Losses against closed forms, and a perceptual loss without its network."""

import math
from pathlib import Path

import pytest
import torch

from roigan.config import FeatureParams
from roigan.errors import UserError
from roigan.features import pretrained
from roigan.losses import adversarial, features, latent, reconstruction


def test_hinge() -> None:
    assert adversarial.hinge_d(torch.tensor([2.0]), torch.tensor([-2.0])) == 0
    assert adversarial.hinge_d(torch.zeros(4), torch.zeros(4)) == 2  # a dead discriminator
    assert adversarial.hinge_d(torch.tensor([0.5]), torch.tensor([0.25])).item() == pytest.approx(1.75)
    assert adversarial.hinge_g(torch.tensor([1.0, 3.0])) == -2


def test_log_loss() -> None:
    assert adversarial.log_d(torch.zeros(4), torch.zeros(4)).item() == pytest.approx(2 * math.log(2))  # dead
    D_x, D_y = torch.tensor([0.9, 0.6]), torch.tensor([0.2, 0.3])
    expected = -D_x.log().mean() - (1 - D_y).log().mean()
    assert adversarial.log_d(D_x.logit(), D_y.logit()).item() == pytest.approx(expected.item(), rel=1e-5)
    assert adversarial.log_g(D_y.logit()).item() == pytest.approx(-D_y.log().mean().item(), rel=1e-5)


def test_masked_squared_error_counts_the_region_only() -> None:
    x, M = torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4)
    M[..., :2, :2] = 1
    y = torch.full_like(x, 7.0)
    y[..., :2, :2] = 0.5
    assert reconstruction.masked_mse(y, x, M).item() == pytest.approx(0.25 * 4 / 16)


@pytest.mark.parametrize(("region", "pixels"), [("inside", 4), ("outside", 12), ("everywhere", 16)])
def test_gradient_penalty_of_a_linear_critic(region: adversarial.Region, pixels: int) -> None:
    """D(t) = <w, t> has gradient w everywhere: the penalty is (||R w|| - 1)^2."""
    M = torch.zeros(2, 1, 4, 4)
    M[:, :, :2, :2] = 1
    w = torch.full((1, 4, 4), 0.5, requires_grad=True)
    penalty = adversarial.gradient_penalty(
        lambda t: (t * w).flatten(1).sum(1),
        torch.randn(2, 1, 4, 4),
        torch.randn(2, 1, 4, 4),
        M,
        torch.rand(2),
        region,
    )
    assert penalty.item() == pytest.approx((0.5 * math.sqrt(pixels) - 1) ** 2, rel=1e-5)
    penalty.backward()
    assert w.grad is not None
    assert torch.isfinite(w.grad).all()


def test_gradient_penalty_is_taken_between_real_and_completed() -> None:
    """D(t) = t^2/2 has gradient t = a*x + (1-a)*y."""
    x, y, a = torch.full((1, 1, 1, 1), 3.0), torch.full((1, 1, 1, 1), 1.0), torch.tensor([0.25])
    penalty = adversarial.gradient_penalty(
        lambda t: t.square().flatten(1).sum(1) / 2, x, y, torch.ones(1, 1, 1, 1), a, "inside"
    )
    assert penalty.item() == pytest.approx((0.25 * 3 + 0.75 * 1 - 1) ** 2)


def test_penalty_of_a_constant_critic_is_finite() -> None:
    x = torch.randn(2, 1, 4, 4)
    w = torch.zeros(1, requires_grad=True)
    penalty = adversarial.gradient_penalty(
        lambda t: (t * w).flatten(1).sum(1), x, x, torch.ones(2, 1, 4, 4), torch.rand(2), "inside"
    )
    penalty.backward()
    assert torch.isfinite(w.grad).all()


def test_fillings_lack_diversity_while_their_structures_are_alike() -> None:
    M = torch.ones(2, 1, 64, 64)
    M[:, :, 32:] = 0
    y, other = torch.zeros(2, 3, 64, 64), torch.zeros(2, 3, 64, 64)
    other[0, :, :24] = 0.3  # a lighter region
    other[1, :, :32, ::2] = 0.06  # stripes: 0.03 above and below their mean
    lacking = reconstruction.lacking_diversity
    assert lacking(y[:1], other[:1], M[:1], 0.12).item() > 0.8
    assert lacking(y[1:], other[1:], M[1:], 0.12).item() == pytest.approx(0.75, abs=0.01)
    assert lacking(y, y, M, 0.12) == 1
    assert lacking(y, other, M, 1e-3) == 0


def test_total_variation_counts_the_region_and_its_seam_only() -> None:
    M = torch.zeros(1, 1, 4, 4)
    M[..., 1:3, 1:3] = 1
    stripes = torch.arange(4.0).expand(1, 1, 4, 4)  # every step to the right is 1
    # rows 1 and 2: three pairs each touch the region
    assert reconstruction.total_variation(stripes, M).item() == pytest.approx(6 / 16)
    assert reconstruction.total_variation(stripes, torch.zeros_like(M)) == 0
    assert reconstruction.total_variation(torch.full((1, 3, 4, 4), 0.7), M) == 0


def test_chroma_variation_minds_colours_alone() -> None:
    M = torch.ones(1, 1, 4, 4)
    grey = torch.rand(1, 1, 4, 4).expand(1, 3, 4, 4)
    assert reconstruction.chroma_variation(grey, M) == 0
    red = torch.zeros(1, 3, 4, 4)
    red[:, 0, 1, 1] = 1  # four neighbours differ by 1 in red-green and by 1/2 in blue-yellow
    assert reconstruction.chroma_variation(red, M).item() == pytest.approx(4 * 1.5 / 32)


def test_matching_is_a_sum_over_layers_of_means() -> None:
    a = [torch.zeros(2, 3, 4, 4), torch.zeros(2, 5, 2, 2)]
    b = [torch.full((2, 3, 4, 4), 0.5), torch.full((2, 5, 2, 2), -2.0)]
    assert features.matching(a, b).item() == pytest.approx(2.5)


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 1e-6), (torch.bfloat16, 1e-2)])
def test_matching_has_the_gradient_of_its_definition(dtype: torch.dtype, rtol: float) -> None:
    maps = torch.randn(2, 3, 4, 5, 5).to(dtype).requires_grad_()  # two halves, one target
    target = torch.randn(3, 4, 5, 5).to(dtype)
    value = 7 * features.matching([maps], [target])
    expected = 7 * (maps.float() - target.float()).abs().mean()
    (gradient,) = torch.autograd.grad(value, maps)
    (wanted,) = torch.autograd.grad(expected, maps)
    torch.testing.assert_close(value, expected, atol=0, rtol=rtol)
    torch.testing.assert_close(gradient, wanted, atol=0, rtol=rtol)


def test_matching_may_be_differentiated_twice() -> None:
    """A second backward pass (retain_graph) is right, and leaves what the first one found as it was."""
    maps = torch.randn(2, 3, 4, 5, 5, dtype=torch.float64, requires_grad=True)
    target = torch.randn(3, 4, 5, 5, dtype=torch.float64)
    (wanted,) = torch.autograd.grad((maps - target).abs().mean(), maps)
    value = features.matching([maps], [target])
    factors = (-3.0, 1.0)
    gradients = [
        torch.autograd.grad(value, maps, torch.tensor(factor), retain_graph=True)[0] for factor in factors
    ]
    for factor, gradient in zip(factors, gradients, strict=True):
        torch.testing.assert_close(gradient, factor * wanted)


def test_matching_has_the_gradient_of_finite_differences() -> None:
    target = torch.randn(4, 3, 3, dtype=torch.float64)
    step = torch.rand(2, 4, 3, 3, dtype=torch.float64) + 0.5  # from the kink at 0, so that it is smooth here
    maps = target + step * torch.randn_like(step).sign()
    # the mean is taken in float32, hence the coarse eps
    maps.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda a: features.matching([a], [target]), (maps,), eps=0.1, atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize(("content", "reason"), [(b"", "EOFError"), (b"nothing", "Weights only load failed")])
def test_damaged_weights_of_a_network_are_said_in_one_line(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "damaged.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"damaged\.pth is not a readable weights file \({reason}\)$"):
        pretrained.load(FeatureParams(network="vgg16", path=str(path)))


def test_gram_ignores_where_things_are() -> None:
    a = torch.randn(2, 3, 4, 4)
    assert torch.allclose(features.gram(a), features.gram(a.flip(-1)), atol=1e-6)
    assert features.style([a], [a.flip(-1)]).item() == pytest.approx(0, abs=1e-6)
    assert features.style([a], [2 * a]).item() > 0


def test_kl_against_torch() -> None:
    mu, logvar = torch.randn(6, 5), torch.randn(6, 5)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(normal(mu, (logvar / 2).exp()), normal(0.0, 1.0)).mean()
    assert latent.kl_standard_normal(mu, logvar).item() == pytest.approx(expected.item(), rel=1e-5)


def test_gaussian_nll_against_torch() -> None:
    c, mu, logvar = torch.randn(6, 5), torch.randn(6, 5), torch.randn(6, 5)
    expected = -torch.distributions.Normal(mu, (logvar / 2).exp()).log_prob(c).sum(1).mean()
    assert latent.gaussian_nll(c, mu, logvar).item() == pytest.approx(expected.item(), rel=1e-5)


def test_categorical_nll_at_chance_and_when_known() -> None:
    k = torch.randint(10, (6, 4))
    assert latent.categorical_nll(k, torch.zeros(6, 4, 10)).item() == pytest.approx(4 * math.log(10))
    sure = torch.nn.functional.one_hot(k, 10) * 50.0
    assert latent.categorical_nll(k, sure).item() == pytest.approx(0, abs=1e-6)
