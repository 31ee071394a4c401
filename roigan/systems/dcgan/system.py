"""DCGAN: images from nothing but z.

A. Radford, L. Metz, S. Chintala, Unsupervised Representation Learning with Deep Convolutional Generative
Adversarial Networks, ICLR 2016. Width 1 has the channels of the public TensorFlow code (64 to 512), half of
the paper's. Two things differ: group norm stands where the paper has batch norm, and z comes as N(0, I) and
is made uniform inside, so that all systems draw alike.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roigan.config.systems.dcgan import DCGANModel, DCGANParams
from roigan.game import Batch, Terms
from roigan.losses import adversarial
from roigan.nets.ladder import Discriminator, Upwards
from roigan.nets.latent import uniform
from roigan.systems.interface import Kept, LogLoss, TwoPlayers


class Generator(nn.Module):
    """G: z -> an image."""

    def __init__(self, size: int, channels: int, model: DCGANModel) -> None:
        super().__init__()
        self.layers = Upwards(model.noise, size, channels, model.width)

    def forward(self, z: Tensor) -> Tensor:
        """z: [B, noise] of N(0, I); returns [B, C, S, S] in [-1, 1]."""
        return torch.tanh(self.layers(uniform(z))).to(z.dtype)  # out of autocast


class DCGAN(LogLoss, TwoPlayers):
    """The networks, losses and players of DCGAN."""

    networks: ClassVar[dict[str, type[nn.Module]]] = {"G": Generator, "D": Discriminator}
    keeps: ClassVar[tuple[Kept, ...]] = (Kept("G", averaged=True), Kept("D", averaged=False))
    verbs: ClassVar[tuple[str, ...]] = ("generate", "score")
    title: ClassVar[str] = "DCGAN"
    about: ClassVar[str] = "images from nothing (Radford et al. 2016)"
    params: DCGANParams

    @staticmethod
    def prior_loss(scores: Tensor) -> Tensor:
        """log(1 - D(G(z))) of logits (38); shape as given."""
        return -F.softplus(scores)

    @staticmethod
    def realism(scores: Tensor) -> Tensor:
        """-log D(G(z)) of logits; shape as given."""
        return F.softplus(-scores)

    def loss_G(self, nets: SimpleNamespace, batch: Batch) -> Terms:
        """-E log D(G(z)): the log loss with a gradient where D is sure."""
        G = nets.G(self._z(batch))
        batch.share("G", G)
        return {"adv": adversarial.log_g(nets.D(G))}

    def loss_D(self, nets: SimpleNamespace, batch: Batch) -> Terms:
        """-E log D(x) - E log(1 - D(G(z)))."""
        G = batch.once("G", lambda: nets.G(self._z(batch)))
        real, fake = nets.D(torch.cat([batch.x, G])).chunk(2)  # one forward for both
        return {"adv": adversarial.log_d(real, fake)}

    def _z(self, batch: Batch) -> Tensor:
        return batch.random.normal("z", self.params.model.noise)
