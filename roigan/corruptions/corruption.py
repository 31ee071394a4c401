"""What is asked of a model: a change of coordinates T, and a mask M in those coordinates, 1 = generate.

One formula completes them all, y = T^-1(M T(G) + (1-M) T(x)). A region is M over pixels; recolouring a region
is M over Lab's a and b inside it; colouring is that over the whole picture; a sample from nothing is M = 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from roigan.images.blending import complete
from roigan.images.colours import lab, rgb


@dataclass(frozen=True)
class Space:
    """Coordinates of an image: x [B, C, H, W] in [-1, 1] -> T(x) [B, C', H, W], about [-1, 1], and back."""

    to: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]
    generated: tuple[int, ...]
    """1 for the coordinates that a region generates, 0 for those before them that it leaves; (1,) is all."""

    def select(self, t: Tensor) -> Tensor:
        """The coordinates that a region generates [B, C'', H, W] of all of them [B, C', H, W]."""
        return t[:, self.generated.index(1) :]

    def embed(self, t: Tensor) -> Tensor:
        """The inverse of `select`, with zeros in the place of what a region leaves."""
        return F.pad(t, (0, 0, 0, 0, self.generated.index(1), 0))


def _to_lab(x: Tensor) -> Tensor:
    return lab(x) / _scale(x) - _offset(x)


def _from_lab(t: Tensor) -> Tensor:
    return rgb((t + _offset(t)) * _scale(t))


def _scale(like: Tensor) -> Tensor:
    """L / 50 - 1, a / 128, b / 128."""
    return torch.tensor([50.0, 128.0, 128.0], dtype=like.dtype, device=like.device).view(1, 3, 1, 1)


def _offset(like: Tensor) -> Tensor:
    return torch.tensor([1.0, 0.0, 0.0], dtype=like.dtype, device=like.device).view(1, 3, 1, 1)


SPACES: dict[str, Space] = {
    "identity": Space(lambda x: x, lambda t: t, (1,)),
    "lab": Space(_to_lab, _from_lab, (0, 1, 1)),
}


@dataclass(frozen=True)
class Corruption:
    """A batch's corruption; `region` makes the usual ones."""

    space: str
    """A key of SPACES."""
    M: Tensor
    """[B, 1 or C', H, W] in {0, 1}, in the coordinates of the space: 1 = generate."""

    @staticmethod
    def region(space: str, R: Tensor) -> Corruption:
        """The coordinates that the space generates, inside the regions R [B, 1, H, W]."""
        generated = torch.tensor(SPACES[space].generated, dtype=R.dtype, device=R.device)
        return Corruption(space, R * generated[:, None, None])

    @property
    def touched(self) -> Tensor:
        """The pixels of which anything is generated: [B, 1, H, W] in {0, 1}."""
        return self.M.amax(1, keepdim=True)

    def known(self, x: Tensor) -> Tensor:
        """(1-M) T(x) [B, C', H, W]: all that a model may read of x [B, C, H, W]."""
        return (1 - self.M) * SPACES[self.space].to(x)

    def complete(self, x: Tensor, G: Tensor) -> Tensor:
        """y = T^-1(M T(G) + (1-M) T(x)) for images x, G [B, C, H, W]; pixels that M leaves whole are those of
        x, bit for bit."""
        return self.joined(x, SPACES[self.space].to(G))

    def joined(self, x: Tensor, t: Tensor) -> Tensor:
        """As `complete`, with the generated coordinates t = T(G) [B, C', H, W] given as they are."""
        if self.space == "identity":
            return complete(x, t, self.M)
        space = SPACES[self.space]
        return complete(x, space.back(complete(space.to(x), t, self.M)), self.touched)

    def residual(self, y: Tensor, x: Tensor) -> Tensor:
        """|(1-M) (T(y) - T(x))| [B, C', H, W]: what has become of the known coordinates."""
        to = SPACES[self.space].to
        return ((1 - self.M) * (to(y) - to(x))).abs()
