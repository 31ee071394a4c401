"""What the house asks of a system, and what a generator returns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from roigan.game import Loss, Player, generator_and_discriminator
from roigan.systems.states import State

if TYPE_CHECKING:
    from roigan.systems.model import Model


class FeatureMaps(Protocol):
    """A network of stage `features`."""

    def maps(self, x: Tensor) -> list[Tensor]:
        """x [B, C, H, W] in [-1, 1] -> its ReLU maps."""


NO_IMAGES = torch.empty(0, dtype=torch.uint8)


class Teacher(Protocol):
    """What stage `features` knows of classes (`features.classes`)."""

    classes: int

    def __call__(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """x [B, C, H, W] in [-1, 1], labels int64 [B] where the data has any -> what is in each image, a
        distribution over the classes: [B, classes]."""


class Given(NamedTuple):
    """What a system is built on beside its parameters."""

    perceptual: FeatureMaps
    """The network behind the perceptual loss."""
    prior: Model | None = None
    """The model of stage `prior`, where params.yaml has one."""
    past: Sequence[State] = ()
    """The states that the prior has kept of itself, in the order of time."""
    images: Tensor = NO_IMAGES
    """The training images, uint8 [N, S, S, C] on the device."""
    teacher: Teacher | None = None
    """What tells the classes of images, where params.yaml has any."""


class Completion(NamedTuple):
    """What a generator makes of a batch."""

    G: Tensor
    """The generated image [B, C, H, W], whole."""
    y: Tensor
    """The completed image [B, C, H, W]: x bit for bit outside M."""


class Kept(NamedTuple):
    """A network that a training leaves in the model folder."""

    net: str
    averaged: bool
    """Its moving average (`train.ema`), or as it is at the end."""


AVERAGED_G = (Kept("G", averaged=True),)
"""What most systems keep."""


class System(Protocol):
    """What the house asks of a system."""

    networks: ClassVar[dict[str, type[nn.Module]]]
    """Those that a model folder may hold, by name, each built as net(size, channels, model). G(x, M, z)
    returns a tuple with the fields of `Completion`; where the verb is `generate`, G(z) returns images."""
    keeps: ClassVar[tuple[Kept, ...]]
    """What lies in a model folder afterwards; the first one is what the system serves."""
    verbs: ClassVar[tuple[str, ...]]
    """What a trained model can do; the first one is what it is evaluated by."""
    title: ClassVar[str]
    """Its name in tables."""
    about: ClassVar[str]
    """What it is, in a few words."""
    nets: dict[str, nn.Module]
    """All that are trained, by name."""

    @staticmethod
    def chance_level(losses: Any) -> float:
        """D/adv, weighted as it is logged, where D tells nothing apart; losses: the block of params.yaml."""

    def __init__(self, params: Any, given: Given) -> None: ...

    def players(self) -> list[Player]:
        """In the order of their turns."""


@runtime_checkable
class Scorer(System, Protocol):
    """What the training asks of a system that scores before it writes a checkpoint."""

    def remember(self) -> None:
        """Look at the training images once more, as the networks are now."""


class Prior(System, Protocol):
    """What the latent search asks of a system: G(z), D(x), and a word on what D's scores are worth."""

    @staticmethod
    def prior_loss(scores: Tensor) -> Tensor:
        """What an image costs that D scores so; of any shape, less is more real."""

    @staticmethod
    def realism(scores: Tensor) -> Tensor:
        """The same as G's own training has it, with a gradient where D is sure; of any shape."""


class TwoPlayers:
    """A system of one G and one D, each built from `networks`, with losses `loss_G` and `loss_D`."""

    networks: ClassVar[dict[str, type[nn.Module]]]
    loss_G: Loss
    loss_D: Loss

    def __init__(self, params: Any, given: Given) -> None:
        self.params = params
        arguments = params.data.image_size, params.data.channels, params.model
        self.nets: dict[str, nn.Module] = {name: net(*arguments) for name, net in self.networks.items()}

    def players(self) -> list[Player]:
        """G, then D."""
        return generator_and_discriminator(self.nets, self.loss_G, self.loss_D, self.params.train)


class LogLoss:
    """A system whose D has the log loss."""

    @staticmethod
    def chance_level(losses: object) -> float:
        """log 2 for real images plus log 2 for generated ones."""
        return 2 * math.log(2)


class CriticLoss:
    """A system whose D is a critic."""

    @staticmethod
    def chance_level(losses: object) -> float:
        """All images have the same value."""
        return 0.0
