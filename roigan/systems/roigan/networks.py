"""The networks of RoI-GAN (thesis, sections 3.4 to 3.6): G, D and Q on D's trunk."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roigan.config import RoIGANModel
from roigan.corruptions.corruption import SPACES, Corruption
from roigan.images.blending import broad, continuation, membrane
from roigan.nets.control_reader import Reading, circle, sharp
from roigan.nets.layers import Conv2d, Linear, instance_norm, lrelu
from roigan.systems.roigan.layers import GatedConv2d, UpsampleBlock


class EncodedCompletion(NamedTuple):
    """A `Completion` with the posterior of the encoder, which a loss holds near N(0, 1)."""

    G: Tensor  # the generated image [B, C, H, W], whole
    y: Tensor  # the completed image [B, C, H, W]: x bit for bit outside M
    mu: Tensor  # [B, style], of the encoder's posterior
    logvar: Tensor


class Generator(nn.Module):
    """G: an image with a hole, the hole's mask and a latent vector -> a whole image (section 3.5)."""

    def __init__(self, size: int, channels: int, model: RoIGANModel) -> None:
        super().__init__()
        eq, self.encode = model.equalized, ControlEncoding(model)

        def wide(count: float) -> int:
            return max(1, round(count * model.width))

        def skip(side: int) -> int:  # channels of the encoder's map at this side: 128 at 2, 64 at 4, ... 8
            # all that G knows of the image passes here, at next to no cost: never narrower than the thesis
            return round(max(8, 256 // side) * max(1.0, model.width))

        sides = [size >> i for i in range(1, int(math.log2(size)))]  # 32, 16, 8, 4, 2 for 64
        self.encoder = nn.ModuleList()
        inputs = channels + 1
        for side in sides:
            self.encoder.append(GatedConv2d(inputs, skip(side), equalised=eq))
            inputs = skip(side)

        seed = wide(16)  # channels of the 4x4 map that w is shuffled into
        style = 16 * seed
        self.to_mu_logvar = Linear(4 * inputs, 2 * style, equalised=eq)
        self.mapping = nn.ModuleList(
            Linear(n, style, equalised=eq) for n in (self.encode.inputs, style, style)
        )

        self.decoder = nn.ModuleList()
        inputs, styled = seed, style + self.encode.controls
        for side in reversed(sides[:-1]):  # 4, 8, 16, 32
            outputs = wide(100 if side == 4 else 64)
            self.decoder.append(
                UpsampleBlock(inputs + skip(side), outputs, wide(128), styled, model.depth, equalised=eq)
            )
            inputs = outputs
        self.output_norm, self.blend, self.space = model.output_norm, model.blend, model.space
        outputs = channels - SPACES[model.space].generated.index(1)
        self.to_image = Conv2d(inputs, outputs, 3, padding=1, equalised=eq, bias=not model.output_norm)
        if not model.output_norm:  # start grey: a saturated tanh has no gradient to leave black or white by
            self.to_image.gain *= 0.1

    def forward(self, x: Tensor, M: Tensor, z: Tensor) -> EncodedCompletion:
        """x: [B, C, H, W] in [-1, 1]; M: [B, 1, H, W] in {0, 1}; z: [B, 256]."""
        corruption, space = Corruption.region(self.space, M), SPACES[self.space]
        t = space.select(space.to(x))  # of which a filling reads what lies outside M
        maps = [torch.cat([corruption.known(x), M], 1)]
        for layer in self.encoder:
            maps.append(layer(maps[-1]))  # ... [B, 64, 4, 4], [B, 128, 2, 2]
        mu, logvar = self.to_mu_logvar(maps.pop().flatten(1)).float().chunk(2, dim=1)
        f, controls = self.encode(z)
        for layer in self.mapping:
            f = lrelu(F.layer_norm(layer(f), mu.shape[1:]))  # [B, style]
        w = f * (logvar / 2).exp() + mu
        h = F.pixel_shuffle(w[:, :, None, None], 4)  # [B, 16, 4, 4]
        s = torch.cat([f, controls], 1)  # what styles the denormalisations
        for block in self.decoder:
            h = torch.cat([h, maps.pop()], 1)
            side = h.shape[-1]
            h = block(h, _resize(M, side), _resize(M, 2 * side), s)
        image = self.to_image(h)  # [B, C, H, W], or as many coordinates as a region generates
        if self.output_norm:
            image = instance_norm(image)
        if self.blend != "none":
            colours = continuation(t, M)
            if self.blend == "membrane":  # a broad field without the region's edge, which would be seen
                colours = broad(colours)
            colours = colours.clamp(-1, 1)  # noisy images go beyond, where atanh ends
            image = image + torch.atanh(0.95 * colours)  # 0.95: pure white keeps a gradient
        own = torch.tanh(image).float()
        filled = membrane(t, own, M) if self.blend == "membrane" else own
        y = corruption.joined(x, space.embed(filled))
        G = Corruption.region(self.space, torch.ones_like(M)).joined(x, space.embed(own))
        return EncodedCompletion(G, y, mu, logvar)


class ControlEncoding(nn.Module):
    """z = cat(z0, c, one-hot k) -> (what the mapping takes, the controls) scaled for a network.

    As drawn, 92 % of the energy of z is noise and 2 % sliders, and a code is values-1 directions. Here all
    sliders together, with the noise that is read as they are, have the energy of the noise; a code is a point
    on a circle, each of its two coordinates as loud as a slider.
    """

    def __init__(self, model: RoIGANModel) -> None:
        super().__init__()
        self.split = [model.noise, model.sliders, model.codes * model.values]
        self.direct, self.shape = model.direct_controls, (model.codes, model.values)
        self.read = model.read_noise
        self.controls = model.sliders + self.read + 2 * model.codes if self.direct else 0  # numbers
        self.inputs = model.noise + self.controls if self.direct else sum(self.split)
        energy = model.noise / max(1, model.sliders + self.read)  # per slider
        self.scale_c, self.scale_k = math.sqrt(energy / (1 / 3)), math.sqrt(energy / (1 / 2))
        self.scale_z = math.sqrt(energy)
        self.circle: Tensor
        self.register_buffer("circle", circle(model.values), persistent=False)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """z: [B, Z]. Returns [B, inputs] and [B, controls]; the thesis takes z as it is."""
        if not self.direct:
            return z, z[:, :0]
        z0, c, k = z.split(self.split, dim=1)
        points = (k.unflatten(1, self.shape) @ self.circle).flatten(1)  # [B, 2 * codes]
        read = self.scale_z * z0[:, : self.read]
        controls = torch.cat([self.scale_c * c, read, self.scale_k * points], 1)
        return torch.cat([z0, controls], 1), controls


def _resize(M: Tensor, side: int) -> Tensor:
    """The share of generated pixels in each cell of a coarser grid: thin regions fade, they do not vanish."""
    return M if M.shape[-1] == side else F.adaptive_avg_pool2d(M, side)


class DiscriminatorOutput(NamedTuple):
    """What D says of a batch."""

    scores: Tensor  # [B, 26]: 25 local ones and the global one
    maps: list[Tensor]  # the trunk's LeakyReLU maps, for feature matching
    trunk: Tensor  # the last of them, [B, 256, 7, 7], which Q reads


class Discriminator(nn.Module):
    """D: an image and a mask -> 25 patch scores and one score of the whole (section 3.6)."""

    def __init__(self, size: int, channels: int, model: RoIGANModel) -> None:
        super().__init__()
        eq = model.equalized

        def wide(count: int) -> int:
            return max(1, round(count * model.width))

        def conv(
            inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0, *, bias: bool
        ) -> nn.Module:
            # one or the other: a factor behind spectral norm would make the norm a few hundredths, not 1
            factor = eq and not model.spectral_norm
            layer = Conv2d(inputs, outputs, kernel, stride, padding, equalised=factor, bias=bias)
            return nn.utils.parametrizations.spectral_norm(layer) if model.spectral_norm else layer

        # halved down to 16 px, then three convolutions without padding: 16 -> 13 -> 10 -> 7
        halvings = int(math.log2(size)) - 4
        strided = [64, *[128] * (halvings - 1)] if halvings else []
        self.trunk = nn.ModuleList()
        inputs = channels + 1
        for outputs in map(wide, strided):
            self.trunk.append(conv(inputs, outputs, 4, 2, 1, bias=not self.trunk))
            inputs = outputs
        for outputs in map(wide, (256, 512, 256)):
            self.trunk.append(conv(inputs, outputs, 4, bias=not self.trunk))
            inputs = outputs
        self.local = conv(inputs, 1, 3, bias=True)  # 7 -> 5
        self.global_hidden = conv(inputs, wide(128), 4, bias=False)  # 7 -> 4
        self.global_score = conv(wide(128), 1, 4, bias=True)  # 4 -> 1

    def forward(self, image: Tensor, M: Tensor) -> DiscriminatorOutput:
        """image: [B, C, H, W]; M: [B, 1, H, W]."""
        h, maps = torch.cat([image, M], 1), []
        for i, layer in enumerate(self.trunk):
            h = layer(h)
            h = lrelu(instance_norm(h) if i else h)  # no normalisation on the first
            maps.append(h)
        whole = self.global_score(lrelu(instance_norm(self.global_hidden(h))))  # [B, 1, 1, 1]
        scores = torch.cat([self.local(h).flatten(1), whole.flatten(1)], 1)  # [B, 26]
        return DiscriminatorOutput(scores.float(), maps, h)


class QHead(nn.Module):
    """Q: D's trunk -> what it reads of the controls: mean and log-variance of c, logits of k (3.15-3.16)."""

    def __init__(self, model: RoIGANModel) -> None:
        super().__init__()
        self.sliders, self.codes = model.sliders + model.read_noise, model.codes
        self.values = model.values
        inputs, hidden, last = (max(1, round(n * model.width)) for n in (256, 128, 64))
        self.conv1 = Conv2d(inputs, hidden, 4, equalised=model.equalized, bias=False)  # 7 -> 4
        self.conv2 = Conv2d(hidden, last, 4, equalised=model.equalized)  # 4 -> 1
        outputs = 2 * self.sliders + self.codes * self.values
        self.read = Linear(last, outputs, equalised=model.equalized)

    def forward(self, trunk: Tensor) -> Reading:
        """trunk: [B, 256, 7, 7]."""
        h = lrelu(instance_norm(self.conv1(trunk)))
        h = lrelu(self.conv2(h)).flatten(1)  # [B, 64]; one place only: nothing left to normalise over
        mu, logvar, logits = (
            self.read(h).float().split([self.sliders, self.sliders, self.codes * self.values], dim=1)
        )
        return Reading(mu, sharp(logvar), logits.unflatten(1, (self.codes, self.values)))
