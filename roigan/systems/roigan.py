"""RoI-GAN: new content inside a region under the control of sliders.

V. Korshunov, Region-Selected Image Generation with Generative Adversarial Networks, Ukrainian Catholic
University 2020; equations are numbered as there.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import ClassVar, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roigan.blending import continuation, membrane
from roigan.colours import brightness
from roigan.config import RoIGANModel, RoIGANParams
from roigan.game import Batch, Player, Terms, generator_and_discriminator
from roigan.latent import join_latent
from roigan.layers import (
    Conv2d,
    GatedConv2d,
    Linear,
    UpsampleBlock,
    instance_norm,
    lrelu,
)
from roigan.losses import adversarial, features, latent, reconstruction
from roigan.masks import complete
from roigan.networks import Reader, Reading, circle, sharp

# --- Networks -----------------------------------------------------------------------------------------


class Filling(NamedTuple):
    """What G makes of a batch."""

    G: Tensor  # the generated image [B, C, H, W], whole
    y: Tensor  # the completed image [B, C, H, W]: x bit for bit outside M
    mu: Tensor  # [B, style], of the encoder's posterior
    logvar: Tensor


class Generator(nn.Module):
    """G: an image with a hole, the hole's mask and a latent vector -> a whole image (section 3.5)."""

    def __init__(self, size: int, channels: int, model: RoIGANModel) -> None:
        super().__init__()
        eq, self.heard = model.equalized, Heard(model)

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
            Linear(n, style, equalised=eq) for n in (self.heard.inputs, style, style)
        )

        self.decoder = nn.ModuleList()
        inputs, styled = seed, style + self.heard.controls
        for side in reversed(sides[:-1]):  # 4, 8, 16, 32
            outputs = wide(100 if side == 4 else 64)
            self.decoder.append(
                UpsampleBlock(inputs + skip(side), outputs, wide(128), styled, model.depth, equalised=eq)
            )
            inputs = outputs
        self.output_norm, self.blend = model.output_norm, model.blend
        self.to_image = Conv2d(inputs, channels, 3, padding=1, equalised=eq, bias=not model.output_norm)
        if not model.output_norm:  # start grey: a saturated tanh has no gradient to leave black or white by
            self.to_image.gain *= 0.1

    def forward(self, x: Tensor, M: Tensor, z: Tensor) -> Filling:
        """x: [B, C, H, W] in [-1, 1]; M: [B, 1, H, W] in {0, 1}; z: [B, 256]."""
        maps = [torch.cat([x * (1 - M), M], 1)]
        for layer in self.encoder:
            maps.append(layer(maps[-1]))  # ... [B, 64, 4, 4], [B, 128, 2, 2]
        mu, logvar = self.to_mu_logvar(maps.pop().flatten(1)).float().chunk(2, dim=1)
        f, controls = self.heard(z)
        for layer in self.mapping:
            f = lrelu(F.layer_norm(layer(f), mu.shape[1:]))  # [B, style]
        w = f * (logvar / 2).exp() + mu
        h = F.pixel_shuffle(w[:, :, None, None], 4)  # [B, 16, 4, 4]
        s = torch.cat([f, controls], 1)  # what styles the denormalisations
        for block in self.decoder:
            h = torch.cat([h, maps.pop()], 1)
            side = h.shape[-1]
            h = block(h, _resize(M, side), _resize(M, 2 * side), s)
        image = self.to_image(h)  # [B, C, H, W]
        if self.output_norm:
            image = instance_norm(image)
        if self.blend != "none":
            colours = continuation(x, M)
            if self.blend == "membrane":  # a broad field without the region's edge, which would be seen
                colours = _broad(colours)
            colours = colours.clamp(-1, 1)  # noisy images go beyond, where atanh ends
            image = image + torch.atanh(0.95 * colours)  # 0.95: pure white keeps a gradient
        G = torch.tanh(image).float()
        filled = membrane(x, G, M) if self.blend == "membrane" else G
        return Filling(G, complete(x, filled, M), mu, logvar)


class Heard(nn.Module):
    """z = cat(z0, c, one-hot k) -> (what the mapping takes, the controls) as a network hears them best.

    As drawn, 92 % of the energy of z is noise and 2 % sliders, and a code is values-1 directions. Here all
    sliders together have the energy of the noise; a code is a point on a circle, each of its two coordinates
    as loud as a slider.
    """

    def __init__(self, model: RoIGANModel) -> None:
        super().__init__()
        self.split = [model.noise, model.sliders, model.codes * model.values]
        self.direct, self.shape = model.direct_controls, (model.codes, model.values)
        self.controls = model.sliders + 2 * model.codes if self.direct else 0  # numbers
        self.inputs = model.noise + self.controls if self.direct else sum(self.split)
        energy = model.noise / max(1, model.sliders)  # per slider
        self.loud_c, self.loud_k = math.sqrt(energy / (1 / 3)), math.sqrt(energy / (1 / 2))
        self.circle: Tensor
        self.register_buffer("circle", circle(model.values), persistent=False)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """z: [B, Z]. Returns [B, inputs] and [B, controls]; the thesis hears z as it is."""
        if not self.direct:
            return z, z[:, :0]
        z0, c, k = z.split(self.split, dim=1)
        points = (k.unflatten(1, self.shape) @ self.circle).flatten(1)  # [B, 2 * codes]
        controls = torch.cat([self.loud_c * c, self.loud_k * points], 1)
        return torch.cat([z0, controls], 1), controls


def _broad(x: Tensor) -> Tensor:
    """The colours of x on a scale of an eighth of the image; x: [B, C, S, S]."""
    coarse = F.adaptive_avg_pool2d(x, 8)
    return F.interpolate(coarse, size=x.shape[-2:], mode="bilinear", align_corners=False)


def _resize(M: Tensor, side: int) -> Tensor:
    """The share of generated pixels in each cell of a coarser grid: thin regions fade, they do not vanish."""
    return M if M.shape[-1] == side else F.adaptive_avg_pool2d(M, side)


class Judgement(NamedTuple):
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

    def forward(self, image: Tensor, M: Tensor) -> Judgement:
        """image: [B, C, H, W]; M: [B, 1, H, W]."""
        h, maps = torch.cat([image, M], 1), []
        for i, layer in enumerate(self.trunk):
            h = layer(h)
            h = lrelu(instance_norm(h) if i else h)  # no normalisation on the first
            maps.append(h)
        whole = self.global_score(lrelu(instance_norm(self.global_hidden(h))))  # [B, 1, 1, 1]
        scores = torch.cat([self.local(h).flatten(1), whole.flatten(1)], 1)  # [B, 26]
        return Judgement(scores.float(), maps, h)


class QHead(nn.Module):
    """Q: D's trunk -> what it reads of the controls: mean and log-variance of c, logits of k (3.15-3.16)."""

    def __init__(self, model: RoIGANModel) -> None:
        super().__init__()
        self.sliders, self.codes, self.values = model.sliders, model.codes, model.values
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


# --- The game -----------------------------------------------------------------------------------------


class FeatureMaps(Protocol):
    """The network behind the perceptual loss."""

    def maps(self, x: Tensor) -> list[Tensor]:
        """x [B, C, H, W] in [-1, 1] -> its ReLU maps."""


class RoIGAN:
    """The networks, losses and players of RoI-GAN."""

    generator: ClassVar[type[nn.Module]] = Generator

    def __init__(self, params: RoIGANParams, perceptual: FeatureMaps) -> None:
        size, channels, model = params.data.image_size, params.data.channels, params.model
        self.params, self.perceptual = params, perceptual
        self.nets: dict[str, nn.Module] = {
            "G": Generator(size, channels, model),
            "D": Discriminator(size, channels, model),
        }
        if params.losses.info:  # a head that nothing trains would be dead weight
            controls = (model.sliders, model.codes, model.values)
            self.nets["Q"] = (
                Reader(size, 1, controls, model.width, equalised=model.equalized)
                if model.reader == "own"
                else QHead(model)
            )

    def players(self) -> list[Player]:
        """G, then D. Q belongs to G's player: both gain when the region tells its controls."""
        return generator_and_discriminator(self.nets, self.loss_G, self.loss_D, self.params.train)

    def loss_D(self, nets: SimpleNamespace, batch: Batch) -> Terms:
        """(3.19): hinge + penalty on the gradient + zero concentration."""
        x, M, w, gp = batch.x, batch.M, self.params.losses, self.params.penalty
        if "y" not in batch.kept:
            with torch.no_grad():
                batch.kept["y"] = nets.G(x, M, self.latent(batch)[0]).y
        y = batch.kept["y"]
        real, fake = nets.D(torch.cat([x, y]), torch.cat([M, M])).scores.chunk(2)  # one forward for both
        terms = {
            "adv": w.adv_d * adversarial.hinge_d(real, fake),
            "zero": w.zero * adversarial.zero_centred(real),
        }
        if w.gp and batch.step % gp.every == 0:
            reduce = {"mean": torch.mean, "sum": torch.sum}[gp.scores]
            penalty = adversarial.gradient_penalty(
                lambda t: reduce(nets.D(t, M).scores, dim=1), x, y, M, batch.draws.uniform("gp"), gp.region
            )
            terms["gp"] = w.gp * gp.every * penalty
        return terms

    def loss_G(self, nets: SimpleNamespace, batch: Batch) -> Terms:
        """(3.18): adversarial, style (tv, perceptual, feature matching), divergence and information."""
        x, M, w = batch.x, batch.M, self.params.losses
        z, c, k = self.latent(batch)
        G, y, mu, logvar = nets.G(x, M, z)
        batch.kept["y"] = y.detach()
        fake = nets.D(y, M)
        terms = {"adv": w.adv_g * adversarial.hinge_g(fake.scores)}
        if w.fm:
            with torch.no_grad():
                real = nets.D(x, M)
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
        if w.tv:
            terms["tv"] = w.tv * reconstruction.total_variation(y, M)
        if w.chroma and y.shape[1] == 3:
            terms["chroma"] = w.chroma * reconstruction.chroma_variation(y, M)
        if w.l1:
            terms["l1"] = w.l1 * reconstruction.l1(G, x)
        if w.known:
            terms["known"] = w.known * reconstruction.known_error(G, x, M)
        if w.kl:
            terms["kl"] = w.kl * latent.kl_standard_normal(mu, logvar)
        if w.info:
            own = self.params.model.reader == "own"
            # blind to colours: a tint of the region tells a control for next to nothing, and looks false
            reading = nets.Q(brightness(y), M) if own else nets.Q(fake.trunk)
            terms["info_c"] = w.info * latent.gaussian_nll(c, reading.mu, reading.logvar)
            terms["info_k"] = w.info * latent.categorical_nll(k, reading.logits)
        return terms

    def latent(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """The step's z = cat(z0, c, k) [B, 256], with c [B, sliders] and k as numbers [B, codes].

        Both players see the same z in a step.
        """
        model, draws = self.params.model, batch.draws
        z0 = draws.normal("z0", model.noise)
        c = 2 * draws.uniform("c", model.sliders) - 1
        k = draws.integers("k", model.values, model.codes)
        return join_latent(z0, c, k, model.values), c, k
