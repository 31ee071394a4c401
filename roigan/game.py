"""One step of the game: each player minimises its own loss over its own parameters, the others held fixed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from roigan.config import TrainParams
from roigan.corruptions.corruption import Corruption


class StepRandom:
    """Named random numbers for the images of one turn of one step.

    They are drawn for the whole batch and sliced to the rank's own rows, on the CPU: so they depend neither
    on the number of ranks, nor on the device, nor on what was drawn before, and a resumed run needs no saved
    generator state.
    """

    def __init__(
        self,
        seed: int,
        step: int,
        total: int,
        rows: slice = slice(None),
        device: torch.device | str = "cpu",
        turn: int = 0,
    ) -> None:
        self.name = f"{seed} {step}" + (f".{turn}" if turn else "")
        self.total, self.rows, self.device = total, rows, device

    def uniform(self, purpose: str, *shape: int) -> Tensor:
        """U(0, 1), float32 [rows, *shape] on the device."""
        return self._mine(torch.rand(self.total, *shape, generator=self._generator(purpose)))

    def normal(self, purpose: str, *shape: int) -> Tensor:
        """N(0, 1), float32 [rows, *shape] on the device."""
        return self._mine(torch.randn(self.total, *shape, generator=self._generator(purpose)))

    def integers(self, purpose: str, high: int, *shape: int) -> Tensor:
        """Uniform on 0..high-1, int64 [rows, *shape] on the device."""
        return self._mine(torch.randint(high, (self.total, *shape), generator=self._generator(purpose)))

    def _generator(self, purpose: str) -> torch.Generator:
        digest = hashlib.sha256(f"{self.name} {purpose}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)

    def _mine(self, everyone: Tensor) -> Tensor:
        return everyone[self.rows].to(self.device, non_blocking=True)


Terms = dict[str, Tensor]  # named scalars, already weighted; their sum is the loss; logged as they are


@dataclass(frozen=True)
class Batch:
    """What a player sees in a turn."""

    x: Tensor
    """Images [B, C, H, W] in [-1, 1]."""
    corruption: Corruption
    """What is to be generated of them."""
    random: StepRandom
    """The turn's random numbers."""
    step: int
    conditioning: Tensor
    """Like x: the images whose known coordinates G is given; x itself unless train.constraints says so."""
    labels: Tensor | None = None
    """int64 [B], where the data has any."""
    shared: dict[str, Tensor] = field(default_factory=dict)
    """What `once` has made."""

    @property
    def M(self) -> Tensor:
        """[B, 1, H, W] in {0, 1}: the pixels of which anything is generated."""
        return self.corruption.touched

    def once(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        """What the first player to ask for it makes of this batch, detached: one forward pass serves all."""
        if name not in self.shared:
            with torch.no_grad():
                self.shared[name] = make()
        return self.shared[name]

    def share(self, name: str, value: Tensor) -> None:
        """Leave for the other players what a loss has made anyway."""
        self.shared[name] = value.detach()


Loss = Callable[[Any, Batch], Terms]


@dataclass
class Player:
    """A player: what it may change, and the loss that it minimises."""

    name: str  # "G", "D": metrics are logged as "G/adv", "D/gp"
    nets: Sequence[str]  # names of the networks whose parameters are its own
    loss: Loss  # loss(nets, batch); nets.G, ... are callables; {}: no move
    optimizer: torch.optim.Optimizer  # its rates and betas are the system's business
    turns: int = 1  # moves in a step, one after the other; the i-th turns of all players share a batch


def generator_and_discriminator(
    nets: dict[str, nn.Module], loss_G: Loss, loss_D: Loss, train: TrainParams
) -> list[Player]:
    """G, who owns every network but D, and D, where there is one, each with an Adam of its own.

    G moves first: D judges the fillings that G has just made, and one forward of G serves both.
    """

    def player(name: str, own: list[str], loss: Loss, lr: float, turns: int) -> Player:
        parameters = [p for net in own for p in nets[net].parameters()]
        return Player(name, own, loss, torch.optim.Adam(parameters, lr=lr, betas=train.betas), turns)

    G = player("G", [name for name in nets if name != "D"], loss_G, train.lr_g, train.turns_g)
    return [G, player("D", ["D"], loss_D, train.lr_d, train.turns_d)] if "D" in nets else [G]


class Nets:
    """The networks of a game, each bare and as its owner calls it (wrapped in DistributedDataParallel, say).

    Gradients are averaged across ranks by the wrapper; an opponent is called bare, since a wrapper whose
    parameters receive no gradient would wait for them.
    """

    def __init__(
        self, bare: dict[str, nn.Module], wrap: Callable[[nn.Module], nn.Module] = lambda net: net
    ) -> None:
        self.bare = bare
        self.wrapped = {name: wrap(net) for name, net in bare.items()}

    @contextmanager
    def turn_of(self, player: Player) -> Iterator[SimpleNamespace]:
        """The networks as `player` calls them, with everybody else's parameters frozen."""
        others = [net for name, net in self.bare.items() if name not in player.nets]
        for net in others:
            net.requires_grad_(False)
        try:
            yield SimpleNamespace(
                **{n: (self.wrapped if n in player.nets else self.bare)[n] for n in self.bare}
            )
        finally:
            for net in others:
                net.requires_grad_(True)


def play(
    players: Sequence[Player],
    nets: Nets,
    draw: Callable[[int], Batch],
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Terms:
    """One step: every player takes its turns, one player after the other; returns all terms, detached.

    draw: the number of a turn -> its batch. A term is the mean over the turns in which it was computed. A
    player whose loss has no terms does not move in that turn: some games have phases.
    """
    batches: dict[int, Batch] = {}
    logged: dict[str, list[Tensor]] = {}
    for player in players:
        for turn in range(player.turns):
            if turn not in batches:
                batches[turn] = draw(turn)
            for name, value in _move(player, nets, batches[turn], autocast).items():
                logged.setdefault(f"{player.name}/{name}", []).append(value.detach())
    means = {name: torch.stack(values).mean() for name, values in logged.items() if len(values) > 1}
    return {name: means.get(name, values[0]) for name, values in logged.items()}


def _move(
    player: Player, nets: Nets, batch: Batch, autocast: Callable[[], AbstractContextManager[Any]]
) -> Terms:
    """One turn; the terms of its loss."""
    with nets.turn_of(player) as theirs:
        with autocast():
            terms = player.loss(theirs, batch)
        if not terms:
            return terms
        player.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
    player.optimizer.step()
    return terms
