"""iGAN's network P: a photograph -> the z whose image is nearest to it on the manifold of a prior.

J.-Y. Zhu, P. Krähenbühl, E. Shechtman, A. A. Efros, Generative Visual Manipulation on the Natural Image
Manifold, ECCV 2016, equation (3). The prior stays as it is and travels in the model folder, whole. Ours: P
gives z on the scale of N(0, I), where the paper ends in a tanh: `dcgan` squashes it by itself, and `wgan`
has no bounds.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from roigan.config.systems.igan import IGANModel, IGANParams
from roigan.errors import UserError
from roigan.game import Batch, Player, Terms
from roigan.losses import reconstruction
from roigan.nets.ladder import Trunk
from roigan.systems.interface import Given, Kept

if TYPE_CHECKING:
    from roigan.systems.model import Model


class Encoder(Trunk):
    """P: an image [B, C, S, S] -> z [B, noise]; D's trunk with as many outputs."""

    def __init__(self, size: int, channels: int, model: IGANModel) -> None:
        super().__init__(size, channels, model.width, outputs=model.noise)

    def forward(self, image: Tensor) -> Tensor:
        """image: [B, C, S, S]; returns z [B, noise]."""
        z: Tensor = super().forward(image)  # type: ignore[no-untyped-call]
        return z.float() if z.dtype == torch.bfloat16 else z  # out of autocast


class IGAN:
    """The network, loss and player of iGAN's projection."""

    networks: ClassVar[dict[str, type[nn.Module]]] = {"P": Encoder}
    keeps: ClassVar[tuple[Kept, ...]] = (Kept("P", averaged=True),)
    verbs: ClassVar[tuple[str, ...]] = ("project",)
    title: ClassVar[str] = "iGAN"
    about: ClassVar[str] = "photographs on the manifold of a prior (Zhu et al. 2016)"

    @staticmethod
    def chance_level(losses: object) -> float:
        """There is no D."""
        return 0.0

    def __init__(self, params: IGANParams, given: Given) -> None:
        """Raises UserError for a prior that does not generate, or whose z or images are of another size."""
        self.params, self.perceptual = params, given.perceptual
        self.G = fitting(given.prior, params).G
        self.nets: dict[str, nn.Module] = {
            "P": Encoder(params.data.image_size, params.data.channels, params.model)
        }

    def players(self) -> list[Player]:
        """P alone."""
        train = self.params.train
        adam = torch.optim.Adam(self.nets["P"].parameters(), lr=train.lr_g, betas=train.betas)
        return [Player("P", ["P"], self.loss_P, adam)]

    def loss_P(self, nets: SimpleNamespace, batch: Batch) -> Terms:
        """E L(G(P(x)), x), G frozen (3)."""
        G: Tensor = self.G(nets.P(batch.x))
        terms = {"pixels": reconstruction.squared(G, batch.x).mean()}
        if alpha := self.params.losses.alpha:
            maps = zip(self.perceptual.maps(G), self.perceptual.maps(batch.x), strict=True)
            distances = [reconstruction.squared(*pair).mean() for pair in maps]
            terms["features"] = alpha * torch.stack(distances).sum()
        return terms


def fitting(prior: Model | None, params: IGANParams) -> Model:
    """The prior, where P of these parameters can be trained on it."""
    if prior is None:
        raise UserError("igan is trained on a prior; run the stage `prior` first (dvc repro prior)")
    prior.require("generate")
    mine = (params.model.noise, params.data.image_size, params.data.channels)
    its = (prior.sizes.noise, prior.image_size, prior.channels)
    if mine != its:
        names = ("model.noise", "data.image_size", "data.channels")
        wrong = [f"{n} {a} (the prior: {b})" for n, a, b in zip(names, mine, its, strict=True) if a != b]
        raise UserError(f"this prior does not fit {', '.join(wrong)}; set it, or train another prior")
    return prior
