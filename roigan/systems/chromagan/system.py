"""ChromaGAN: the colours of a grey picture, from a network that learns by the way what is in it.

P. Vitoria, L. Raad, C. Ballester, ChromaGAN: Adversarial Picture Colorization with Semantic Class
Distribution, WACV 2020. The lightness L is kept by construction: a, b of CIE Lab are all that is generated.

Differences: L comes alone (the public code repeats it for a VGG16 with ImageNet weights); group norm for its
batch norm; ReLU between dense layers; a tanh at the end; a, b are enlarged smoothly; and the critic's weight
follows from how hard it pulls beside the squared error (`pull`), where theirs depends on the picture's size.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from types import SimpleNamespace
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roigan.config.systems.chromagan import ChromaGANModel, ChromaGANParams
from roigan.corruptions.corruption import SPACES, Corruption
from roigan.game import Batch, Player, Terms, generator_and_discriminator
from roigan.images.blending import complete
from roigan.losses import adversarial, latent, reconstruction
from roigan.nets.layers import SLOPE, group_norm, wide
from roigan.systems.interface import AVERAGED_G, CriticLoss, Given, Kept
from roigan.systems.penalty import lazy_penalty

LAB = SPACES["lab"]
UNIT = 128 / 255  # from our scale of a, b to that of the paper, on which they span [0, 1]
RMS = 0.04  # of the error of a, b on that scale, once training is under way


class Colouring(NamedTuple):
    """A `Completion` with what the losses look at. In training it has no RGB: the way back to it would be a
    fifth of a step."""

    G: Tensor | None  # the picture [B, 3, H, W] with colours everywhere
    y: Tensor | None  # the completed image [B, 3, H, W]
    ab: Tensor  # a, b everywhere [B, 2, H, W], on the scale of the space `lab`
    seen: Tensor  # [B, 512, H/32, W/32], from which the class is told


def conv(inputs: int, outputs: int, stride: int = 1, *, normalised: bool = True) -> nn.Sequential:
    """A convolution k3, ReLU and then the normalisation, if any."""
    layer = nn.Conv2d(inputs, outputs, 3, stride, 1)
    nn.init.kaiming_normal_(layer.weight)
    return nn.Sequential(layer, nn.ReLU(), *([group_norm(outputs)] if normalised else []))


def dense(*counts: int) -> list[nn.Module]:
    """Linear layers, each with ReLU, between so many numbers."""
    return [layer for n, m in pairwise(counts) for layer in (nn.Linear(n, m), nn.ReLU())]


class Generator(nn.Module):
    """G: the lightness of a picture -> its colours a, b, made at half the side."""

    def __init__(self, size: int, channels: int, model: ChromaGANModel) -> None:
        super().__init__()
        c32, c64, c128, c256, c512 = (wide(n, model.width) for n in (32, 64, 128, 256, 512))
        self.trunk = nn.Sequential(  # VGG16 to conv4_3
            *(conv(1, c64), conv(c64, c64), nn.MaxPool2d(2)),
            *(conv(c64, c128), conv(c128, c128), nn.MaxPool2d(2)),
            *(conv(c128, c256), conv(c256, c256), conv(c256, c256), nn.MaxPool2d(2)),
            *(conv(c256, c512), conv(c512, c512), conv(c512, c512)),
        )
        self.whole = nn.Sequential(*(conv(c512, c512, stride) for stride in (2, 1, 2, 1)))
        self.seen = c512 * math.ceil(size / 32) ** 2  # numbers in `Colouring.seen` of one image
        self.vector = nn.Sequential(*dense(self.seen, 2 * c512, c512, c256))
        self.middle = nn.Sequential(conv(c512, c512), conv(c512, c256))
        self.decoder = nn.Sequential(
            *(nn.Conv2d(2 * c256, c256, 1), nn.ReLU(), conv(c256, c128, normalised=False)),
            nn.Upsample(scale_factor=2),
            *(conv(c128, c64, normalised=False), conv(c64, c64, normalised=False)),
            nn.Upsample(scale_factor=2),
            *(conv(c64, c32, normalised=False), nn.Conv2d(c32, 2, 3, padding=1)),
        )

    def forward(self, x: Tensor, M: Tensor, z: Tensor | None = None) -> Colouring:
        """x: [B, 3, H, W] in [-1, 1], of which L is seen; M: [B, 1, H, W] in {0, 1}; z is not used: a picture
        has one colouring."""
        L = Corruption.region("lab", M).known(x)[:, :1]  # [B, 1, H, W]
        shared = self.trunk(L)  # [B, 512, H/8, W/8]
        seen = self.whole(shared)  # [B, 512, H/32, W/32]
        vector = self.vector(seen.flatten(1))[:, :, None, None]  # [B, 256, 1, 1]
        here = self.middle(shared)  # [B, 256, H/8, W/8]
        ab = torch.tanh(self.decoder(torch.cat([here, vector.expand_as(here)], 1))).float()
        ab = F.interpolate(ab, x.shape[-2:], mode="bilinear", align_corners=False)  # [B, 2, H, W]
        if self.training:
            return Colouring(None, None, ab, seen)
        G = Corruption.region("lab", torch.ones_like(M)).joined(x, LAB.embed(ab))
        return Colouring(G, complete(x, G, M), ab, seen)


class Classes(nn.Module):
    """C: what G has seen -> logits of the classes. It teaches what G shares with it, and is not kept."""

    def __init__(self, seen: int, classes: int, model: ChromaGANModel) -> None:
        super().__init__()
        hidden = wide(1024, model.width)  # 4,096 in the paper, whose pictures are larger
        self.layers = nn.Sequential(*dense(seen, hidden, hidden), nn.Linear(hidden, classes))

    def forward(self, seen: Tensor) -> Tensor:
        """seen: as in `Colouring`; returns [B, classes]."""
        return self.layers(seen.flatten(1)).float()


class Critic(nn.Module):
    """D: a picture in Lab -> a score for every patch, higher = more real."""

    def __init__(self, size: int, channels: int, model: ChromaGANModel) -> None:
        super().__init__()
        c64, c128, c256, c512 = (wide(n, model.width) for n in (64, 128, 256, 512))
        same = nn.ZeroPad2d((1, 2, 1, 2))  # the maps of k4 s1 keep their size
        self.layers = nn.Sequential(
            *(nn.Conv2d(3, c64, 4, 2, 1), nn.LeakyReLU(SLOPE)),
            *(nn.Conv2d(c64, c128, 4, 2, 1), nn.LeakyReLU(SLOPE)),
            *(nn.Conv2d(c128, c256, 4, 2, 1), nn.LeakyReLU(SLOPE)),
            *(same, nn.Conv2d(c256, c512, 4), nn.LeakyReLU(SLOPE)),
            *(same, nn.Conv2d(c512, 1, 4, bias=False)),  # only differences of scores count
        )

    def forward(self, t: Tensor) -> Tensor:
        """t: [B, 3, H, W], coordinates of the space `lab`; returns [B, H/8 * W/8]."""
        return self.layers(t).flatten(1).float()


def pull(balance: float, size: int) -> float:
    """The weight of D's mean score with which its gradient at G's output, of norm 1 by the penalty, is
    `balance` times that of the squared error, 2 UNIT RMS / sqrt(2 N) for N pixels."""
    return balance * 2 * UNIT * RMS / math.sqrt(2 * size**2)


def coloured(batch: Batch, ab: Tensor) -> Tensor:
    """T(x) with a, b where they are generated: [B, 3, H, W]."""
    return complete(batch.once("T(x)", partial(LAB.to, batch.x)), LAB.embed(ab), batch.corruption.M)


class ChromaGAN(CriticLoss):
    """The networks, losses and players of ChromaGAN."""

    networks: ClassVar[dict[str, type[nn.Module]]] = {"G": Generator, "D": Critic}
    keeps: ClassVar[tuple[Kept, ...]] = AVERAGED_G
    verbs: ClassVar[tuple[str, ...]] = ("complete",)
    title: ClassVar[str] = "ChromaGAN"
    about: ClassVar[str] = "colours for a grey picture (Vitoria et al. 2020)"

    def __init__(self, params: ChromaGANParams, given: Given) -> None:
        size, channels, model = params.data.image_size, params.data.channels, params.model
        self.params, self.teacher = params, given.teacher if params.losses.classes else None
        self.adv = pull(params.losses.balance, size)
        self.nets: dict[str, nn.Module] = {"G": (G := Generator(size, channels, model))}
        if self.teacher:  # a head that nothing trains would be dead weight
            self.nets["C"] = Classes(G.seen, self.teacher.classes, model)
        if self.adv:
            self.nets["D"] = Critic(size, channels, model)

    def players(self) -> list[Player]:
        """G, with the class head, then D."""
        return generator_and_discriminator(self.nets, self.loss_G, self.loss_D, self.params.train)

    def loss_G(self, nets: SimpleNamespace, batch: Batch) -> Terms:
        """L_e + lam_p L_p + lam_s L_s: squared error of a, b; the critic; the class distribution."""
        x, M = batch.x, batch.M
        found, ab = nets.G(x, M), LAB.select(batch.once("T(x)", partial(LAB.to, x)))
        terms = {"ab": UNIT**2 * reconstruction.masked_mse(found.ab, ab, M)}
        if self.adv:
            fake = coloured(batch, found.ab)
            batch.share("fake", fake)
            terms["adv"] = self.adv * adversarial.wasserstein_g(nets.D(fake))
        if self.teacher:
            y_v = self.teacher(x, batch.labels)  # [B, classes]
            terms["classes"] = self.params.losses.classes * latent.kl_categorical(y_v, nets.C(found.seen))
        return terms

    def loss_D(self, nets: SimpleNamespace, batch: Batch) -> Terms:
        """E D(L, G.ab) - E D(L, ab), and the penalty on D's gradient by what is generated."""
        real = batch.once("T(x)", partial(LAB.to, batch.x))
        fake = batch.once("fake", lambda: coloured(batch, nets.G(batch.x, batch.M).ab))
        terms = {"adv": adversarial.wasserstein_d(*nets.D(torch.cat([real, fake])).chunk(2))}
        w, penalty = self.params.losses, self.params.penalty
        M = batch.corruption.M  # 0 on L: the gradient by a, b
        return terms | lazy_penalty(w.gp, penalty, batch, nets.D, real, fake, M)
