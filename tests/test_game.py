"""One step of the game: only the mover moves, nothing is dead, and two ranks equal one."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from roigan.config import Params, read_yaml
from roigan.corruptions.corruption import Corruption
from roigan.corruptions.sampling import Sampler
from roigan.errors import UserError
from roigan.game import Batch, Nets, Player, StepRandom, play
from roigan.nets.latent import join_latent
from roigan.systems.by_name import SYSTEMS
from roigan.systems.interface import Given
from roigan.systems.roigan.networks import ControlEncoding
from tests.conftest import (
    CHROMAGAN,
    COLOURING,
    CONDITIONAL,
    DCGAN,
    GAN,
    GLCIC,
    HISTORY_AD,
    IGAN,
    PIXELWISE,
    RECOLOUR,
    ROOT,
    WGAN,
    Small,
    given,
)


class Perceptual(nn.Module):
    """A fixed small network in the place of the feature network."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.weight = torch.randn(6, 3, 3, 3, generator=generator) / 5

    def maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        fine = torch.relu(nn.functional.conv2d(x, self.weight.to(x.dtype), stride=2))
        return [fine, *(nn.functional.avg_pool2d(fine, side) for side in (2, 4))]


class Teacher:
    """Says of three classes what the mean colour is like."""

    classes = 3

    def __call__(self, x: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        return x.mean((2, 3)).softmax(1)


def build(params: Params, dtype: torch.dtype = torch.float32) -> Any:
    torch.manual_seed(0)
    built_on = given(params, Perceptual(), dtype)._replace(teacher=Teacher())
    system = SYSTEMS[params.model.system](params, built_on)
    for net in system.nets.values():
        net.to(dtype)
    return system


def batch(params: Params, step: int, rows: slice = slice(None), dtype: torch.dtype = torch.float32) -> Batch:
    total, size = params.train.batch_size, params.data.image_size
    generator = torch.Generator().manual_seed(step)
    x, lent = torch.rand(2, total, params.data.channels, size, size, generator=generator) * 2 - 1
    sampler = Sampler(dict(params.masks.train), size, params.masks.known_share)
    draws = InDtype(params.train.seed, step, total, rows)
    draws.dtype = dtype
    M = sampler(draws.uniform("M", sampler.draws).float()).to(dtype)
    return Batch(
        x[rows].to(dtype), Corruption.region(params.model.coordinates, M), draws, step, lent[rows].to(dtype)
    )


class InDtype(StepRandom):
    """StepRandom in the precision of the test."""

    dtype = torch.float32

    def _mine(self, everyone: torch.Tensor) -> torch.Tensor:
        mine = super()._mine(everyone)
        return mine.to(self.dtype) if mine.is_floating_point() else mine


@pytest.mark.parametrize("size", [16, 32, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_at_every_size(small: Small, size: int, channels: int) -> None:
    params = small(data__image_size=size, data__channels=channels)
    torch.manual_seed(0)
    G, D = (SYSTEMS["roigan"](params, Given(Perceptual())).nets[name] for name in "GD")
    x, M = torch.rand(2, channels, size, size), torch.ones(2, 1, size, size)
    image, _, mu, _ = G(x, M, torch.randn(2, 256))
    assert image.shape == x.shape
    assert image.abs().max() <= 1
    assert mu.shape[0] == 2
    judgement = D(x, M)
    assert judgement.scores.shape == (2, 26)
    assert judgement.trunk.shape[-1] == 7


def test_parameter_counts_of_the_thesis(small: Small) -> None:
    """At width 1 and 64 px: D has the 5.38 million, Q the 0.66 million that the thesis' networks have."""
    params = small(data__image_size=64, model__width=1.0, model__reader="trunk")
    counts = {n: sum(p.numel() for p in net.parameters()) for n, net in build(params).nets.items()}
    assert counts["D"] == pytest.approx(5_382_400, rel=1e-3)
    assert counts["Q"] == pytest.approx(663_736, rel=1e-3)


def test_controls_are_heard_through_the_noise(small: Small) -> None:
    """Ten sliders have the energy of the noise, ten points on circles twice as much; the thesis takes z."""
    model = small().model
    encode, generator = ControlEncoding(model), torch.Generator().manual_seed(0)
    c = 2 * torch.rand(20_000, model.sliders, generator=generator) - 1
    k = torch.randint(model.values, (20_000, model.codes), generator=generator)
    z = join_latent(torch.randn(20_000, model.noise, generator=generator), c, k, model.values)
    inputs, controls = encode(z)
    assert torch.equal(inputs[:, model.noise :], controls)
    energies = [part.square().sum(1).mean() for part in inputs.split([model.noise, 10, 20], dim=1)]
    assert torch.stack(energies).tolist() == pytest.approx([146, 146, 292], rel=0.03)
    plain, nothing = ControlEncoding(model.model_copy(update={"direct_controls": False}))(z)
    assert torch.equal(plain, z)
    assert nothing.shape[1] == 0


LATE = 4  # of 8 steps: every player of every system moves by then
ALL = {"losses__l1": 1.0, "losses__style": 1.0, "losses__diversity": 1.0}
FEATURES = {"model__discriminator": "features", "losses__l1": 1.0} | {
    f"losses__{idle}": 0.0 for idle in ("fm", "gp", "zero", "style")
}
ANY_MASK = {"model": {"system": "conditional_dcgan", "width": 0.125}, "losses": {}}
THESIS = read_yaml((ROOT / "presets" / "thesis.yaml").read_text())["model"]
RECIPES: dict[str, dict[str, Any]] = {
    "ours": ALL | {"model__depth": 2},
    "noise is read": {"model__read_noise": 3},
    "noise is read off D": {"model__read_noise": 3, "model__reader": "trunk"},
    "thesis": ALL | {f"model__{key}": value for key, value in THESIS.items() if key != "width"},
    "features": FEATURES,
    "glcic": GLCIC,
    "gan": GAN,
    "pixelwise": PIXELWISE,
    "dcgan": DCGAN,
    "wgan": WGAN,
    "wgan, residual": WGAN | {"model": WGAN["model"] | {"network": "residual"}},
    "history_ad": HISTORY_AD,  # scores beyond the bound: inside, the last bias has no gradient
    "igan": IGAN,
    "recolour": RECOLOUR | {"losses__tv": 0.5},
    "chromagan": CHROMAGAN,
    "conditional_dcgan": CONDITIONAL | {"losses": {"whole": 1.0}},
    "conditional_dcgan, any mask": ANY_MASK,
    "conditional_dcgan, forced": CONDITIONAL | {"model": {**CONDITIONAL["model"], "forced": True}},
    "colouring": COLOURING,
}
SYSTEM_RECIPES = {
    "roigan": {"model__read_noise": 2}, "features": FEATURES, "glcic": GLCIC, "gan": GAN,
    "pixelwise": PIXELWISE, "dcgan": DCGAN, "wgan": WGAN, "history_ad": HISTORY_AD, "igan": IGAN,
    "recolour": RECOLOUR, "chromagan": CHROMAGAN,
    "conditional_dcgan": CONDITIONAL, "conditional_dcgan, any mask": ANY_MASK, "colouring": COLOURING,
}  # fmt: skip


def test_noise_that_is_read_is_asked_of_q(small: Small) -> None:
    """Of Q that knows nothing, every number read costs as much as a standard normal's entropy."""
    entropy = 0.5 * math.log(2 * math.pi) + 0.5  # nats, beside mu 0 and logvar 0
    costs = []
    for count in (0, 40):
        params = small(model__read_noise=count)
        system = build(params)
        for parameter in system.nets["Q"].read.parameters():
            torch.nn.init.zeros_(parameter)
        losses = system.loss_G(SimpleNamespace(**system.nets), batch(params, 0))
        costs.append(losses["info_c"].item() / params.losses.info)
    assert (costs[1] - costs[0]) / 40 == pytest.approx(entropy, abs=0.15)
    with pytest.raises(UserError, match="read_noise is 9, above noise, which is 8"):
        small(model__read_noise=9, model__noise=8)


@pytest.mark.parametrize("recipe", RECIPES)
def test_no_parameter_is_dead(small: Small, recipe: str) -> None:
    """After a turn of each player, every parameter that is somebody's has a gradient that is not zero."""
    params = small(**RECIPES[recipe])
    system = build(params)
    players, nets = system.players(), Nets(system.nets)
    dead, late = set(), batch(params, LATE)
    for player in players:
        player.optimizer.step = lambda: None
        play([player], nets, lambda turn: late)
        for name in player.nets:
            for key, parameter in system.nets[name].named_parameters():
                if parameter.grad is None or not parameter.grad.any():
                    dead.add(f"{name}.{key}")
    assert dead == set()
    assert {name for player in players for name in player.nets} == set(system.nets)


@pytest.mark.parametrize("recipe", SYSTEM_RECIPES)
def test_a_turn_leaves_the_others_bit_identical(small: Small, recipe: str) -> None:
    params = small(**SYSTEM_RECIPES[recipe])
    system = build(params)
    nets, late = Nets(system.nets), batch(params, LATE)
    for player in system.players():
        before = copy.deepcopy({n: net.state_dict() for n, net in system.nets.items()})
        play([player], nets, lambda turn: late)
        for name, net in system.nets.items():
            same = [torch.equal(value, before[name][key]) for key, value in net.state_dict().items()]
            moved = [not torch.equal(value, before[name][key]) for key, value in net.named_parameters()]
            assert all(moved) if name in player.nets else all(same), (player.name, name)
        assert all(p.requires_grad for net in system.nets.values() for p in net.parameters())


def test_a_player_without_terms_does_not_move(small: Small) -> None:
    params = small()
    system = build(params)
    G, D = system.players()
    G.loss = lambda nets, batch: {}
    before = copy.deepcopy(system.nets["G"].state_dict())
    terms = play([G, D], Nets(system.nets), lambda turn: batch(params, 0))
    assert all(torch.equal(value, before[key]) for key, value in system.nets["G"].state_dict().items())
    assert not G.optimizer.state
    assert all(name.startswith("D/") for name in terms)


def test_the_terms_are_those_of_the_table(small: Small) -> None:
    params = small(**ALL)
    system = build(params)
    terms = play(system.players(), Nets(system.nets), lambda turn: batch(params, 0))
    assert {name.removeprefix("G/").removeprefix("D/") for name in terms} == {
        "adv", "gp", "zero", "fm", "perceptual", "tv", "chroma", "kl", "info_c", "info_k", "l1", "style",
        "diversity",
    }  # fmt: skip
    assert all(torch.isfinite(value) for value in terms.values())


def test_a_weight_of_zero_removes_the_term(small: Small) -> None:
    off = {f"losses__{name}": 0.0 for name in ("gp", "fm", "perceptual", "tv", "chroma", "kl", "info")}
    params = small(**off)
    system = build(params)
    terms = play(system.players(), Nets(system.nets), lambda turn: batch(params, 0))
    assert set(terms) == {"D/adv", "D/zero", "G/adv"}
    assert "Q" not in system.nets  # a head that nobody trains is not built


def test_diversity_is_asked_for_at_some_steps_and_as_much_louder(small: Small) -> None:
    asked = []
    for every in (1, 3):
        params = small(losses__diversity=0.5, losses__diversity_every=every)
        system = build(params)
        asked.append([system.loss_G(SimpleNamespace(**system.nets), batch(params, t)) for t in range(4)])
    assert all("diversity" in terms for terms in asked[0])
    assert ["diversity" in terms for terms in asked[1]] == [True, False, False, True]
    assert asked[1][3]["diversity"].item() == pytest.approx(3 * asked[0][3]["diversity"].item())


class Toy:
    """Two players of one number each, who note the batches that they see."""

    def __init__(self, turns: int) -> None:
        self.nets: dict[str, nn.Module] = {name: nn.Linear(1, 1, bias=False) for name in "DG"}
        self.seen: list[tuple[str, int]] = []
        self.turns = turns

    def players(self) -> list[Player]:
        def player(name: str, turns: int) -> Player:
            optimizer = torch.optim.SGD(self.nets[name].parameters(), lr=0.1)

            def loss(nets: SimpleNamespace, batch: Batch) -> dict[str, torch.Tensor]:
                self.seen.append((name, int(batch.x.item())))
                return {"adv": getattr(nets, name).weight.sum() * 0 + batch.x.sum()}

            return Player(name, [name], loss, optimizer, turns)

        return [player("D", self.turns), player("G", 1)]


def test_turns_have_batches_of_their_own_and_share_what_is_theirs() -> None:
    toy = Toy(turns=3)
    drawn: list[int] = []

    def draw(turn: int) -> Batch:
        drawn.append(turn)
        x = torch.full((1, 1, 1, 1), float(turn))
        return Batch(x, Corruption("identity", x), StepRandom(0, 0, 1, turn=turn), 0, x)

    terms = play(toy.players(), Nets(toy.nets), draw)
    assert toy.seen == [("D", 0), ("D", 1), ("D", 2), ("G", 0)]
    assert drawn == [0, 1, 2]  # G's turn sees the batch of D's first
    assert terms["D/adv"] == 1  # the mean over the turns
    assert not torch.equal(StepRandom(0, 0, 8, turn=1).normal("z"), StepRandom(0, 0, 8).normal("z"))


def test_once_is_made_once_and_detached() -> None:
    x = torch.ones(1, 1, 1, 1, requires_grad=True)
    only = Batch(x, Corruption("identity", x), StepRandom(0, 0, 1), 0, x)
    assert not only.once("y", lambda: 2 * x).requires_grad
    assert only.once("y", lambda: 3 * x).item() == 2
    only.share("G", 4 * x)
    assert not only.shared["G"].requires_grad


# --- Two ranks -----------------------------------------------------------------------------------------

STEPS = 3


def weights_after(params: Params, rank: int, world: int, wrap: Any) -> dict[str, torch.Tensor]:
    system = build(params, torch.float64)
    nets, players = Nets(system.nets, wrap), system.players()
    share = params.train.batch_size // world
    rows = slice(rank * share, (rank + 1) * share)
    for step in range(STEPS):
        play(players, nets, lambda turn, step=step: batch(params, step, rows, torch.float64))
    return {f"{n}.{k}": v for n, net in system.nets.items() for k, v in net.state_dict().items()}


def one_of_two(rank: int, games: list[Params], folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    for params in games:
        result = weights_after(
            params, rank, 2, lambda net: DistributedDataParallel(net, broadcast_buffers=False)
        )
        torch.save(result, f"{folder}/{params.fingerprint()}-{rank}.pt")
    dist.destroy_process_group()


def test_two_ranks_on_half_batches_equal_one_on_the_whole(small: Small, tmp_path: Path) -> None:
    """DDP's averaged gradients, the penalty's included, are those of the whole batch (float64, 1e-5)."""
    few = {"penalty__every": 2, "train__batch_size": 4, "train__steps": STEPS}
    games = [small(**few, **recipe) for recipe in SYSTEM_RECIPES.values()]
    mp.spawn(one_of_two, (games, str(tmp_path)), nprocs=2)
    for params in games:
        files = [tmp_path / f"{params.fingerprint()}-{rank}.pt" for rank in range(2)]
        first, second = (torch.load(file, weights_only=True) for file in files)
        alone = weights_after(params, 0, 1, lambda net: net)
        start = {
            f"{n}.{k}": v
            for n, net in build(params, torch.float64).nets.items()
            for k, v in net.named_parameters()
        }
        assert start.keys() <= alone.keys()
        for key, value in alone.items():
            assert torch.equal(first[key], second[key]), key
            moved = (value - start[key]).abs().max() if key in start else torch.tensor(1.0)
            assert moved > 0, key
            assert (first[key] - value).abs().max() <= 1e-5 * max(1.0, moved.item()), key
