"""WGAN-GP: the counts of the paper's code, a critic that judges images alone, the penalty in closed form."""

from __future__ import annotations

import copy

import pytest
import torch

from roigan.config.systems.wgan import WGANModel
from roigan.errors import UserError
from roigan.game import Nets, play
from roigan.losses.adversarial import gradient_penalty, wasserstein_d, wasserstein_g
from roigan.systems.by_name import SYSTEMS
from roigan.systems.interface import Given
from roigan.systems.wgan.networks import Critic, Generator
from tests.conftest import WGAN, Small
from tests.test_game import Perceptual, batch


def count(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_parameter_counts_of_the_paper() -> None:
    full = WGANModel(system="wgan", network="residual", width=1.0)
    assert count(Generator(64, 3, full)) == 8_540_483
    assert count(Critic(64, 3, full)) == 7_491_841


@pytest.mark.parametrize("network", ["plain", "residual"])
@pytest.mark.parametrize("size", [16, 28, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_and_images_judged_alone(network: str, size: int, channels: int) -> None:
    model = WGANModel.model_validate({"system": "wgan", "network": network, "width": 0.125})
    x = Generator(size, channels, model)(torch.randn(3, 128))
    assert x.shape == (3, channels, size, size)
    D = Critic(size, channels, model)
    assert D(x).shape == (3,)
    assert torch.allclose(D(x[:1]), D(x)[:1], atol=1e-5)


@pytest.mark.parametrize(("norm", "costs"), [(1.0, 0.0), (3.0, 4.0), (0.0, 1.0)])
def test_the_penalty_of_a_linear_critic(norm: float, costs: float) -> None:
    """(|a| - 1)^2 for D(x) = a x; with weight 10 a norm of 3 costs 40."""
    x, y = torch.rand(2, 4, 3, 8, 8)
    a = torch.full((3, 8, 8), norm / (3 * 64) ** 0.5)
    mixed = torch.rand(4)
    found = gradient_penalty(
        lambda t: (a * t).flatten(1).sum(1), x, y, torch.ones(4, 1, 8, 8), mixed, "everywhere"
    )
    assert found.item() == pytest.approx(costs, abs=1e-5)


def test_losses_of_the_critic() -> None:
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([-1.0, 0.0])
    assert wasserstein_d(real, fake).item() == -2.5
    assert wasserstein_g(fake).item() == 0.5
    assert wasserstein_d(real, real).item() == SYSTEMS["wgan"].chance_level({})


def test_the_critic_moves_on_batches_of_its_own(small: Small) -> None:
    params = small(**WGAN)
    torch.manual_seed(0)
    system = SYSTEMS["wgan"](params, Given(Perceptual()))
    nets, drawn = Nets(system.nets), list[int]()
    before = copy.deepcopy(system.nets)

    def draw(turn: int):  # type: ignore[no-untyped-def]
        drawn.append(turn)
        return batch(params, 4 + turn)

    players = system.players()
    assert {player.name: player.turns for player in players} == {"G": 1, "D": 3}
    D = next(player for player in players if player.name == "D")
    terms = play([D], nets, draw)
    assert drawn == [0, 1, 2]
    assert set(terms) >= {"D/adv", "D/zero", "D/gp"}
    for mine, old in zip(system.nets["G"].parameters(), before["G"].parameters(), strict=True):
        assert torch.equal(mine, old)
    assert not torch.equal(next(system.nets["D"].parameters()), next(before["D"].parameters()))


def test_of_a_whole_image_nothing_is_outside(small: Small) -> None:
    with pytest.raises(UserError, match=r"penalty.region: of a whole image nothing is outside"):
        small(**WGAN, penalty__region="outside")
