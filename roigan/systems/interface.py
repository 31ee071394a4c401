"""What the house asks of a system, and what a generator returns."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Protocol

from torch import Tensor, nn

from roigan.game import Player


class Filling(NamedTuple):
    """What a generator makes of a batch."""

    G: Tensor  # the generated image [B, C, H, W], whole
    y: Tensor  # the completed image [B, C, H, W]: x bit for bit outside M


class System(Protocol):
    """What the house asks of a system."""

    generator: ClassVar[type[nn.Module]]
    """Built as generator(size, channels, model); G(x, M, z) returns a tuple with the fields G, the
    image that it makes, whole, and y, the completed one."""
    nets: dict[str, nn.Module]
    """By name; "G" is the generator, whose average is kept."""

    def __init__(self, params: Any, perceptual: Any) -> None: ...

    def players(self) -> list[Player]:
        """In the order of their turns."""
