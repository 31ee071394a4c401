"""GLCIC: completion by a dilated network against a global and a local discriminator.

S. Iizuka, E. Simo-Serra, H. Ishikawa, Globally and Locally Consistent Image Completion, SIGGRAPH 2017;
equations and tables are numbered as there. Six things differ. Group norm stands where the paper has batch
norm, so that the result does not depend on how a batch is shared among ranks. Adam stands where it has
Adadelta. G minimises -log D, which has a gradient where the log(1 - D) of (4) has none left. D sees real
images cut around the regions of the same batch, where (3) draws others for them. No dilation is larger than a
quarter of the map: 2, 4, 4, 4 for images of 64 px. And the final Poisson blending is the project's own
membrane.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import ClassVar

import torch
from torch import Tensor, nn

from roigan.config import GLCICModel, GLCICParams
from roigan.game import Batch, Terms
from roigan.images.blending import complete, membrane
from roigan.losses import adversarial, reconstruction
from roigan.nets.layers import group_norm, wide
from roigan.systems.interface import AVERAGED_G, Completion, Kept, LogLoss, TwoPlayers

PHASES = ((0.18, "G"), (0.20, "D"), (1.00, "GD"))  # until this share of the steps: who moves (algorithm 1)


def block(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    """A convolution, normalised, and ReLU; the normalisation has a bias of its own."""
    nn.init.kaiming_normal_(layer.weight)
    return nn.Sequential(layer, group_norm(layer.out_channels), nn.ReLU())


# --- Networks -----------------------------------------------------------------------------------------


class Generator(nn.Module):
    """The completion network: an image with a hole and the hole's mask -> a whole image (table 1)."""

    def __init__(self, size: int, channels: int, model: GLCICModel) -> None:
        super().__init__()
        c32, c64, c128, c256 = (wide(count, model.width) for count in (32, 64, 128, 256))

        def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Module:
            padding = dilation * (kernel // 2)
            return block(nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False))

        def deconv(inputs: int, outputs: int) -> nn.Module:
            return block(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False))

        # the paper's maps are 64 px wide here and its dilations at most 16, a quarter of them
        widest = size // 4 // 4
        self.layers = nn.Sequential(
            conv(channels + 1, c64, kernel=5),
            conv(c64, c128, stride=2),
            conv(c128, c128),
            conv(c128, c256, stride=2),
            *(conv(c256, c256) for _ in range(2)),
            *(conv(c256, c256, dilation=min(dilation, widest)) for dilation in (2, 4, 8, 16)),
            *(conv(c256, c256) for _ in range(2)),
            deconv(c256, c128),
            conv(c128, c128),
            deconv(c128, c64),
            conv(c64, c32),
            nn.Conv2d(c32, channels, 3, padding=1),
        )

    def forward(self, x: Tensor, M: Tensor, z: Tensor | None = None) -> Completion:
        """x: [B, C, H, W] in [-1, 1]; M: [B, 1, H, W] in {0, 1}; z is not used: a region has one filling."""
        hole = torch.cat([x * (1 - M), M], 1)  # grey, where the paper fills in the mean colour
        G = torch.tanh(self.layers(hole)).float()
        # blended in use only, as in the paper
        return Completion(G, complete(x, G if self.training else membrane(x, G, M), M))


class Discriminator(nn.Module):
    """Is the whole image real, and the patch around the region in it? One score for both (table 2)."""

    def __init__(self, size: int, channels: int, model: GLCICModel) -> None:
        super().__init__()
        outputs = wide(1024, model.width)
        self.whole = _judge(size, channels, outputs, model)
        self.local = _judge(size // 2, channels, outputs, model)
        self.score = nn.Linear(2 * outputs, 1)

    def forward(self, image: Tensor, M: Tensor) -> Tensor:
        """image: [B, C, H, W]; M: [B, 1, H, W]; returns logits [B]."""
        seen = torch.cat([self.whole(image), self.local(patch(image, M))], 1)
        return self.score(seen)[:, 0].float()


def _judge(size: int, channels: int, outputs: int, model: GLCICModel) -> nn.Sequential:
    """Convolutions k5 s2 down to 4x4, then one vector [B, outputs]."""
    counts = [wide(n, model.width) for n in (64, 128, 256, 512, 512, 512)][: int(math.log2(size)) - 2]
    pairs = zip([channels, *counts], counts, strict=False)
    convs = [block(nn.Conv2d(a, b, 5, 2, 2, bias=False)) for a, b in pairs]
    return nn.Sequential(*convs, nn.Flatten(), nn.Linear(16 * counts[-1], outputs), nn.ReLU())


def patch(image: Tensor, M: Tensor) -> Tensor:
    """The square of half the side around the centre of each region, shifted into the image.

    image: [B, C, S, S]; M: [B, 1, S, S]; returns [B, C, S/2, S/2].
    """
    side = image.shape[-1] // 2
    rows, columns = (_around(M[:, 0].amax(axis), side) for axis in (2, 1))  # [B, S/2] each
    image = image.movedim(1, -1)  # [B, S, S, C]
    items = torch.arange(len(image), device=image.device)[:, None, None]
    return image[items, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)


def _around(marked: Tensor, side: int) -> Tensor:
    """Indices [B, side] around the middle of what is marked; marked: [B, S] in {0, 1}."""
    size = marked.shape[1]
    first, last = marked.argmax(1), size - 1 - marked.flip(1).argmax(1)
    start = ((first + last + 1 - side) // 2).clamp(0, size - side)
    return start[:, None] + torch.arange(side, device=marked.device)


# --- The game -----------------------------------------------------------------------------------------


class GLCIC(LogLoss, TwoPlayers):
    """The networks, losses and players of GLCIC."""

    networks: ClassVar[dict[str, type[nn.Module]]] = {"G": Generator, "D": Discriminator}
    keeps: ClassVar[tuple[Kept, ...]] = AVERAGED_G
    verbs: ClassVar[tuple[str, ...]] = ("complete",)
    title: ClassVar[str] = "GLCIC"
    about: ClassVar[str] = "the baseline of Iizuka et al. (2017)"
    params: GLCICParams

    def moving(self, step: int) -> str:
        """Who moves in a step: first G alone, then D alone, then both."""
        return next(who for end, who in PHASES if step < end * self.params.train.steps)

    def loss_G(self, nets: SimpleNamespace, batch: Batch) -> Terms:
        """(2) the squared error in the region, and alpha times the adversarial loss (4)."""
        x, M, moving = batch.x, batch.M, self.moving(batch.step)
        if "G" not in moving:
            return {}
        G, y = nets.G(x, M)
        terms = {"mse": reconstruction.masked_mse(G, x, M)}
        if "D" in moving:
            batch.share("y", y)
            terms["adv"] = self.params.losses.alpha * adversarial.log_g(nets.D(y, M))
        return terms

    def loss_D(self, nets: SimpleNamespace, batch: Batch) -> Terms:
        """(3): the log loss; real images are cut around the same regions."""
        x, M, moving = batch.x, batch.M, self.moving(batch.step)
        if "D" not in moving:
            return {}
        both = torch.cat([x, batch.once("y", lambda: nets.G(x, M).y)])
        real, fake = nets.D(both, torch.cat([M, M])).chunk(2)  # one forward for both
        return {"adv": adversarial.log_d(real, fake)}
