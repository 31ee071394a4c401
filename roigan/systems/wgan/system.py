"""WGAN-GP: images from nothing but z, with a critic in place of a classifier.

I. Gulrajani, F. Ahmed, M. Arjovsky, V. Dumoulin, A. Courville, Improved Training of Wasserstein GANs, NIPS
2017. The drift term on real images is of Karras et al. 2018. The paper has `train.turns_d` 5 and
`penalty.every` 1.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

import torch
from torch import Tensor, nn

from roigan.config.systems.wgan import WGANParams
from roigan.game import Batch, Terms
from roigan.losses import adversarial
from roigan.systems.interface import CriticLoss, Kept, TwoPlayers
from roigan.systems.penalty import lazy_penalty
from roigan.systems.wgan.networks import Critic, Generator


class WGAN(CriticLoss, TwoPlayers):
    """The networks, losses and players of WGAN-GP."""

    networks: ClassVar[dict[str, type[nn.Module]]] = {"G": Generator, "D": Critic}
    keeps: ClassVar[tuple[Kept, ...]] = (Kept("G", averaged=True), Kept("D", averaged=False))
    verbs: ClassVar[tuple[str, ...]] = ("generate", "score")
    title: ClassVar[str] = "WGAN-GP"
    about: ClassVar[str] = "images from nothing, by a critic (Gulrajani et al. 2017)"
    params: WGANParams

    @staticmethod
    def prior_loss(scores: Tensor) -> Tensor:
        """-D(G(z)) (Vitoria et al. 2019); shape as given."""
        return -scores

    realism = prior_loss

    def loss_G(self, nets: SimpleNamespace, batch: Batch) -> Terms:
        """-E D(G(z))."""
        G = nets.G(self._z(batch))
        batch.share("G", G)
        return {"adv": adversarial.wasserstein_g(nets.D(G))}

    def loss_D(self, nets: SimpleNamespace, batch: Batch) -> Terms:
        """E D(G(z)) - E D(x) + gp * E (|grad D(t)| - 1)^2, t between x and G(z), + zero * E D(x)^2."""
        w, penalty = self.params.losses, self.params.penalty
        G = batch.once("G", lambda: nets.G(self._z(batch)))
        real, fake = nets.D(torch.cat([batch.x, G])).chunk(2)  # one forward for both
        terms = {
            "adv": adversarial.wasserstein_d(real, fake),
            "zero": w.zero * adversarial.zero_centred(real),
        }
        return terms | lazy_penalty(w.gp, penalty, batch, nets.D, batch.x, G, torch.ones_like(batch.M), "a")

    def _z(self, batch: Batch) -> Tensor:
        return batch.random.normal("z", self.params.model.noise)
