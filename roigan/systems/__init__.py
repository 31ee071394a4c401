"""Systems: one file per paper, with its networks, its losses and its players. Choosing is a dict."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from torch import nn

from roigan.game import Player
from roigan.systems.glcic import GLCIC
from roigan.systems.pixelwise import Pixelwise
from roigan.systems.roigan import RoIGAN


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


SYSTEMS: dict[str, type[System]] = {
    "roigan": RoIGAN,
    "glcic": GLCIC,
    "gan": Pixelwise,
    "cgan": Pixelwise,
    "pixelwise": Pixelwise,
}
