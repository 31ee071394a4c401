"""What judges RoI-GAN's fillings: the thesis' D, on pixels, or one on the maps of a frozen network.

Each is a network and two losses: what it learns by, and what it tells G.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from roigan.config import RoIGANParams
from roigan.game import Batch, Terms
from roigan.losses import adversarial, features
from roigan.systems.interface import Given
from roigan.systems.penalty import lazy_penalty
from roigan.systems.roigan.networks import Discriminator
from roigan.systems.roigan.projected import FeatureDiscriminator


class Critic(Protocol):
    """D, as the game knows it."""

    net: nn.Module

    def __init__(self, params: RoIGANParams, given: Given) -> None: ...

    def loss_G(self, D: nn.Module, batch: Batch, G: Tensor, y: Tensor) -> tuple[Terms, Tensor | None]:
        """What G pays for its whole image G and the completed one y, [B, C, S, S]; and D's last maps of y,
        where it has any that Q may read."""

    def loss_D(self, D: nn.Module, batch: Batch, y: Tensor) -> Terms:
        """What D pays; y: completed images, no gradient behind them."""


class Pixels:
    """The thesis' D (sections 3.6 to 3.9); beside it the feature network's perceptual loss."""

    def __init__(self, params: RoIGANParams, given: Given) -> None:
        self.params, self.perceptual = params, given.perceptual
        self.net: nn.Module = Discriminator(params.data.image_size, params.data.channels, params.model)

    def loss_G(self, D: nn.Module, batch: Batch, G: Tensor, y: Tensor) -> tuple[Terms, Tensor]:
        """Of (3.18): adversarial, feature matching (3.11), perceptual (3.12)."""
        x, M, w = batch.x, batch.M, self.params.losses
        fake = D(y, M)
        terms = {"adv": w.adv_g * adversarial.hinge_g(fake.scores)}
        if w.fm:
            with torch.no_grad():
                real = D(x, M)
            terms["fm"] = w.fm * features.matching(fake.maps, real.maps)
        if w.perceptual or w.style:
            with torch.no_grad():
                V_x = self.perceptual.maps(x)
            V = [v.unflatten(0, (2, -1)) for v in self.perceptual.maps(torch.cat([G, y]))]  # G's, y's
            # matching() takes the mean over both, (3.12) their sum
            if w.perceptual:
                terms["perceptual"] = w.perceptual * 2 * features.matching(V, V_x)
            if w.style:
                terms["style"] = w.style * 2 * features.style(V, V_x)
        return terms, fake.trunk

    def loss_D(self, D: nn.Module, batch: Batch, y: Tensor) -> Terms:
        """(3.19): hinge + penalty on the gradient + zero concentration."""
        x, M, w = batch.x, batch.M, self.params.losses
        real, fake = D(torch.cat([x, y]), torch.cat([M, M])).scores.chunk(2)  # one forward for both
        terms = {
            "adv": w.adv_d * adversarial.hinge_d(real, fake),
            "zero": w.zero * adversarial.zero_centred(real),
        }
        return terms | lazy_penalty(w.gp, self.params.penalty, batch, lambda t: D(t, M).scores, x, y, M)


COARSE = 0.5, 0.25  # weights of the two coarsest scales, which ask for things, not for their places; others 1


class Features:
    """D on the feature network's maps. One pass of that network over x and y serves both turns and the
    perceptual loss."""

    def __init__(self, params: RoIGANParams, given: Given) -> None:
        self.params, self.perceptual = params, given.perceptual
        size, channels = params.data.image_size, params.data.channels
        with torch.no_grad():
            maps = self.perceptual.maps(torch.zeros(1, channels, size, size, device=given.images.device))
        self.net: nn.Module = FeatureDiscriminator([(m.shape[1], m.shape[-1]) for m in maps])
        weights = [1.0] * (len(maps) - len(COARSE)) + list(COARSE)
        self.weights = [weight / sum(weights) for weight in weights]

    def loss_G(self, D: nn.Module, batch: Batch, G: Tensor, y: Tensor) -> tuple[Terms, None]:
        """Hinge, and the distances of all maps but the finest: textures need not be the original's."""
        w = self.params.losses
        with torch.no_grad():
            V_x = self.perceptual.maps(batch.x)
        V_y = self.perceptual.maps(y)
        self._share(batch, [torch.cat(pair) for pair in zip(V_x, V_y, strict=True)])
        D.eval()  # spectral norms are estimated in its own turn alone
        hinges = [adversarial.hinge_g(scores) for scores in D(V_y, batch.M)]
        D.train()
        terms = {
            "adv": w.adv_g * self._mean(hinges),
            "perceptual": w.perceptual * features.matching(V_y[1:], V_x[1:]),
        }
        return terms, None

    def loss_D(self, D: nn.Module, batch: Batch, y: Tensor) -> Terms:
        """Hinge, averaged over the scales; the maps are those of G's turn."""
        if "V0" not in batch.shared:  # G has not moved on this batch
            with torch.no_grad():
                self._share(batch, self.perceptual.maps(torch.cat([batch.x, y])))
        V = [batch.shared[f"V{i}"] for i in range(len(self.weights))]
        scores = [s.chunk(2) for s in D(V, torch.cat([batch.M, batch.M]))]
        hinges = [adversarial.hinge_d(real, fake) for real, fake in scores]
        return {"adv": self.params.losses.adv_d * self._mean(hinges)}

    def _share(self, batch: Batch, V: Sequence[Tensor]) -> None:
        """The maps of x and y, one after the other."""
        for i, v in enumerate(V):
            batch.share(f"V{i}", v)

    def _mean(self, terms: Sequence[Tensor]) -> Tensor:
        weighted = [weight * term for weight, term in zip(self.weights, terms, strict=True)]
        return torch.stack(weighted).sum()


CRITICS: dict[str, Callable[[RoIGANParams, Given], Critic]] = {"pixels": Pixels, "features": Features}
