"""Conditional DCGAN: whole images that agree with what is known of them; inpainting, and colouring.

B. Prach, Generative Adversarial Networks, essay, 2018, chapters 4 and 6; equations are numbered as there. The
essay's x_0, the known part, is what a corruption leaves of x: known pixels, or (model.space: lab) lightness.
G hears it beside z, makes a whole image and pays for the difference of the known part; in use the known part
is put back.

Where the essay contradicts itself or its public code: G minimises -log D, for (28) has a gradient where D is
sure and (29)'s log(1 - D) has none; G moves twice for one move of D, as the code does; group norm stands for
batch norm, so that an image's result depends on no other; the dense layer has a bias, or the length of its
input would change nothing; z comes as N(0, I) and is made uniform inside. Its own proposal for any region,
convolutions in front of the dense layer (chapter 6), is `known_rows: null`.
"""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from roigan.config.systems.conditional_dcgan import ConditionalDCGANModel, ConditionalDCGANParams
from roigan.corruptions.corruption import SPACES, Corruption
from roigan.corruptions.families import lowest_rows
from roigan.errors import UserError
from roigan.game import Batch, Terms
from roigan.images.arrays import normalise
from roigan.images.blending import BLENDS
from roigan.losses import adversarial, reconstruction
from roigan.nets.ladder import Discriminator, Upwards, counts, initialise, steps
from roigan.nets.latent import uniform
from roigan.nets.layers import SLOPE, group_norm, wide
from roigan.systems.interface import Completion, Given, Kept, LogLoss, TwoPlayers

CENTRED_ON = 1000  # training images

# --- Networks -----------------------------------------------------------------------------------------


class FixedRegion(nn.Module):
    """All that is known beside one region, number by number: the essay's input of the dense layer."""

    def __init__(self, size: int, coordinates: int, space: str, rows: int) -> None:
        super().__init__()
        region = ~lowest_rows(rows, size)[None, None]  # [1, 1, S, S]
        M = Corruption.region(space, region.float()).M.expand(1, coordinates, size, size)
        self.region: Tensor
        self.heard: Tensor
        self.register_buffer("region", region, persistent=False)
        self.register_buffer("heard", (M.flatten() == 0).nonzero()[:, 0], persistent=False)
        self.outputs = len(self.heard)

    def forward(self, known: Tensor, M: Tensor) -> Tensor:
        """known: [B, C', S, S], 0 where M is 1; M: [B, 1, S, S]; returns [B, outputs].

        Raises UserError for another M, in use: in training params.yaml has made sure of it.
        """
        checked = not self.training and not torch.compiler.is_compiling()
        if checked and not torch.equal(M > 0.5, self.region.expand_as(M)):
            raise UserError(
                "this model knows one region only, that of its known_rows; train one with known_rows: null"
            )
        return known.flatten(1)[:, self.heard]


class AnyRegion(nn.Module):
    """What is known, and where, by convolutions k5 s2 down to the smallest map: 1,024 numbers at 64 px."""

    def __init__(self, size: int, coordinates: int, width: float) -> None:
        super().__init__()
        maps = [*counts(size, width)[:0:-1], wide(64, width)]  # 64, 128, 256, 64 for 64 px
        layers: list[nn.Module] = []
        for below, above in pairwise([coordinates + 1, *maps]):
            layers += [nn.Conv2d(below, above, 5, 2, 2, bias=False), group_norm(above), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.outputs = maps[-1] * (size >> steps(size)) ** 2
        initialise(self)

    def forward(self, known: Tensor, M: Tensor) -> Tensor:
        """known: [B, C', S, S], 0 where M is 1; M: [B, 1, S, S]; returns [B, outputs], 0 of an average."""
        mine, average = (
            self.layers(torch.cat([part, 1 - M], 1)) for part in (known, torch.zeros_like(known))
        )
        read: Tensor = mine - average
        return read


class Generator(nn.Module):
    """G: what is known, and z -> a whole image.

    What is known comes less what it is on average over training images, as batch norm after the dense layer
    would have it. Else a constant rules that layer (of digits' rows: four fifths of their squares), whose
    many weights Adam moves all alike: D drives G from one picture to the next, whatever z, x_0 and lam.
    """

    mean: Tensor

    def __init__(self, size: int, channels: int, model: ConditionalDCGANModel) -> None:
        super().__init__()
        self.model = model
        self.condition: FixedRegion | AnyRegion
        if model.known_rows is None:
            self.condition = AnyRegion(size, channels, model.width)
        else:
            self.condition = FixedRegion(size, channels, model.space, model.known_rows)
        self.register_buffer("mean", torch.zeros(channels, size, size))  # of T(x)
        self.layers = Upwards(model.noise + self.condition.outputs, size, channels, model.width)

    def forward(self, x: Tensor, M: Tensor, z: Tensor) -> Completion:
        """x: [B, C, S, S] in [-1, 1], of which G reads what is known; M: [B, 1, S, S] in {0, 1}; z: N(0, I)
        [B, noise]. In training y is what D sees: G itself, or, where it is forced, the merged image."""
        corruption = Corruption.region(self.model.space, M)
        average = (1 - corruption.M) * self.mean
        x_0 = self.condition(corruption.known(x) - average, M)
        z = self.model.noise_scale * uniform(z)
        G = torch.tanh(self.layers(torch.cat([z, x_0], 1))).to(x.dtype)  # out of autocast
        if self.training:
            return Completion(G, corruption.complete(x, G) if self.model.forced else G)
        return Completion(G, corruption.complete(x, BLENDS[self.model.blend](x * (1 - M), G, M)))


# --- The game -----------------------------------------------------------------------------------------


class ConditionalDCGAN(LogLoss, TwoPlayers):
    """The networks, losses and players of conditional DCGAN."""

    networks: ClassVar[dict[str, type[nn.Module]]] = {"G": Generator, "D": Discriminator}
    keeps: ClassVar[tuple[Kept, ...]] = (Kept("G", averaged=True), Kept("D", averaged=False))
    verbs: ClassVar[tuple[str, ...]] = ("complete", "score")
    title: ClassVar[str] = "conditional DCGAN"
    about: ClassVar[str] = "a whole image that agrees with what is known, L1 on that part (Prach 2018)"
    params: ConditionalDCGANParams

    def __init__(self, params: Any, given: Given) -> None:
        super().__init__(params, given)
        if len(given.images):
            x = normalise(given.images[:CENTRED_ON].movedim(-1, 1))  # [N, C, S, S]
            self.nets["G"].mean = SPACES[params.model.space].to(x).mean(0)

    def loss_G(self, nets: SimpleNamespace, batch: Batch) -> Terms:
        """(29), with -log D; where G is forced (section 4.1), of D's judgement alone."""
        weights, forced = self.params.losses, self.params.model.forced
        G, seen = nets.G(batch.conditioning, batch.M, self._z(batch))
        batch.share("seen", seen)
        terms = {}
        if weights.adv:
            terms["adv"] = weights.adv * adversarial.log_g(nets.D(seen))
        if weights.lam and not forced:
            terms["known"] = weights.lam * reconstruction.known_l1(G, batch.conditioning, batch.corruption)
        if weights.whole:
            terms["whole"] = weights.whole * reconstruction.l1(G, batch.conditioning)
        return terms

    def loss_D(self, nets: SimpleNamespace, batch: Batch) -> Terms:
        """(27), of G's whole images, or merged ones where G is forced; without `adv` it stays as it is."""
        if not self.params.losses.adv:
            return {}
        seen = batch.once("seen", lambda: nets.G(batch.conditioning, batch.M, self._z(batch)).y)
        real, fake = nets.D(torch.cat([batch.x, seen])).chunk(2)  # one forward for both
        return {"adv": adversarial.log_d(real, fake)}

    def _z(self, batch: Batch) -> Tensor:
        return batch.random.normal("z", self.params.model.noise)
