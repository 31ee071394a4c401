"""RoI-GAN: new content inside a region under the control of sliders.

V. Korshunov, Region-Selected Image Generation with Generative Adversarial Networks, Ukrainian Catholic
University 2020; equations are numbered as there.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from roigan.config import RoIGANParams
from roigan.config.systems.roigan import RoIGANLosses
from roigan.corruptions.corruption import SPACES
from roigan.errors import UserError
from roigan.game import Batch, Player, Terms, generator_and_discriminator
from roigan.images.colours import brightness
from roigan.losses import latent, reconstruction
from roigan.nets.control_reader import Reader
from roigan.nets.latent import join_latent
from roigan.systems.interface import AVERAGED_G, Given, Kept
from roigan.systems.roigan.critics import CRITICS
from roigan.systems.roigan.networks import Generator, QHead

if TYPE_CHECKING:
    from roigan.systems.model import Model


HEARD = 5 * 2 / 255
"""So much of [-1, 1] structures are to change with z0 alone: 5 grey levels."""


def read(y: Tensor, space: str) -> Tensor:
    """What Q sees of a completed image: its brightness [B, 1, H, W]; its colours [B, 2, H, W] where nothing
    else is generated.

    Blind to colours where it can be: a tint of the region tells a control for next to nothing, and looks
    false.
    """
    return brightness(y) if space == "identity" else SPACES[space].select(SPACES[space].to(y))


def begin_as(G: Generator, prior: Model) -> None:
    """Let G begin as the prior's. Raises UserError where that is another network."""
    mine, its = G.state_dict(), prior.G.state_dict()
    if {name: w.shape for name, w in mine.items()} != {name: w.shape for name, w in its.items()}:
        raise UserError(
            f"prior: roigan begins as its prior's G, and this {prior.system} is another network; "
            "give `prior.model` the numbers of `model`"
        )
    G.load_state_dict(its)


class RoIGAN:
    """The networks, losses and players of RoI-GAN."""

    networks: ClassVar[dict[str, type[nn.Module]]] = {"G": Generator}
    keeps: ClassVar[tuple[Kept, ...]] = AVERAGED_G
    verbs: ClassVar[tuple[str, ...]] = ("complete",)
    title: ClassVar[str] = "RoI-GAN"
    about: ClassVar[str] = "the thesis of Korshunov (2020)"

    def __init__(self, params: RoIGANParams, given: Given) -> None:
        size, channels, model = params.data.image_size, params.data.channels, params.model
        self.params = params
        G = Generator(size, channels, model)
        if given.prior:
            begin_as(G, given.prior)
        self.critic = CRITICS[model.discriminator](params, given)
        self.nets: dict[str, nn.Module] = {"G": G, "D": self.critic.net}
        if params.losses.info:  # a head that nothing trains would be dead weight
            controls = (model.sliders + model.read_noise, model.codes, model.values)
            seen = 1 if model.space == "identity" else 2  # channels of `read`
            self.nets["Q"] = (
                Reader(size, seen, controls, model.width, equalised=model.equalized)
                if model.reader == "own"
                else QHead(model)
            )

    @staticmethod
    def chance_level(losses: RoIGANLosses) -> float:
        """The hinge: 1 for real images plus 1 for completed ones."""
        return 2 * losses.adv_d

    def players(self) -> list[Player]:
        """G, then D. Q belongs to G's player: both gain when the region tells its controls."""
        return generator_and_discriminator(self.nets, self.loss_G, self.loss_D, self.params.train)

    def loss_D(self, nets: SimpleNamespace, batch: Batch) -> Terms:
        """(3.19)."""
        y = batch.once("y", lambda: nets.G(batch.x, batch.M, self.latent(batch)[0]).y)
        return self.critic.loss_D(nets.D, batch, y)

    def loss_G(self, nets: SimpleNamespace, batch: Batch) -> Terms:
        """(3.18): adversarial, style (tv, perceptual, feature matching), divergence and information."""
        x, M, w = batch.x, batch.M, self.params.losses
        z, c, k = self.latent(batch)
        G, y, mu, logvar = nets.G(x, M, z)
        batch.share("y", y)
        terms, trunk = self.critic.loss_G(nets.D, batch, G, y)
        if w.tv:
            terms["tv"] = w.tv * reconstruction.total_variation(y, M)
        if w.chroma and y.shape[1] == 3:
            terms["chroma"] = w.chroma * reconstruction.chroma_variation(y, M)
        if w.l1:
            terms["l1"] = w.l1 * reconstruction.l1(G, x)
        if w.known:
            terms["known"] = w.known * reconstruction.known_error(G, x, M)
        if w.diversity and batch.step % w.diversity_every == 0:
            z0 = batch.random.normal("z0 again", self.params.model.noise)
            other = nets.G(x, M, join_latent(z0, c, k, self.params.model.values)).y
            lacking = reconstruction.lacking_diversity(y, other, M, HEARD)
            terms["diversity"] = w.diversity * w.diversity_every * lacking
        if w.kl:
            terms["kl"] = w.kl * latent.kl_standard_normal(mu, logvar)
        if w.info:
            own = self.params.model.reader == "own"
            reading = nets.Q(read(y, self.params.model.space), M) if own else nets.Q(trunk)
            told = torch.cat([c, z[:, : self.params.model.read_noise]], 1)
            terms["info_c"] = w.info * latent.gaussian_nll(told, reading.mu, reading.logvar)
            terms["info_k"] = w.info * latent.categorical_nll(k, reading.logits)
        return terms

    def latent(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """The step's z = cat(z0, c, k) [B, 256], with c [B, sliders] and k as numbers [B, codes].

        Both players see the same z in a step.
        """
        model, random = self.params.model, batch.random
        z0 = random.normal("z0", model.noise)
        c = 2 * random.uniform("c", model.sliders) - 1
        k = random.integers("k", model.values, model.codes)
        return join_latent(z0, c, k, model.values), c, k
