"""What params.yaml says of each system: its networks, its losses. Choosing is a dict."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from roigan.config.blocks import LatentSizes, LossParams, ModelParams, Positive, Weight
from roigan.config.params import Params


class RoIGANModel(ModelParams):
    """The networks of RoI-GAN; a width of 1.0 is the thesis."""

    system: Literal["roigan"]
    depth: Positive = 1
    """Convolutions of every upsample block after its branches merge; 1 is the thesis, more are residual."""
    noise: Positive = 146
    """Numbers of incompressible noise z0."""
    sliders: Positive = 10
    """Continuous controls c, each in [-1, 1]."""
    codes: Positive = 10
    """Discrete controls k."""
    values: Annotated[int, Field(ge=2)] = 10
    """Values that each discrete control can take."""
    equalized: bool = True
    """Equalised learning rate (3.20)."""
    spectral_norm: bool = False
    """Spectral normalisation in D (the author's code has it, the thesis does not)."""
    blend: Literal["none", "colours", "membrane"] = "membrane"
    """How a filling meets its surroundings. The thesis' normalisations hide the colours around the region
    from G (none); G may paint onto their smooth continuation (colours); and what is left of the difference
    at the edge may be spread over the region, as in Poisson blending (membrane)."""
    direct_controls: bool = True
    """Sliders and codes are scaled to be heard through the noise (92 % of the energy in the thesis), a code
    is a point on a circle, and both style the denormalisations beside f(z), where nothing scrambles them."""
    reader: Literal["trunk", "own"] = "own"
    """What Q reads the controls from: D's last maps, as in the thesis, or the completed image, by
    convolutions of its own."""
    output_norm: bool = False
    """InstanceNorm before the final tanh, as in the thesis: all images then have one mean and contrast."""

    @property
    def latent(self) -> LatentSizes:
        """z = cat(z0, c, one-hot k)."""
        return LatentSizes(self.noise, self.sliders, self.codes, self.values)


class RoIGANLosses(LossParams):
    """One weight per row of the thesis' loss table; the formulas are in roigan/losses and roigan/systems."""

    adv_d: Weight = 1.0
    gp: Weight = 0.5
    """The thesis' 5 kept D's hinge loss at 2 for the first hundreds of steps."""
    zero: Weight = 1e-4
    adv_g: Weight = 1.0
    fm: Weight = 1.0
    perceptual: Weight = 5.0
    """On maps scaled to a mean of 1 each, whatever the feature network."""
    tv: Weight = 0.5
    chroma: Weight = 15.0
    """Of the total variation of the colours alone, without which regions fill with coloured specks."""
    kl: Weight = 0.5
    info: Weight = 0.3
    l1: Weight = 0.0
    style: Weight = 0.0
    known: Weight = 0.0
    """The pixel-wise penalty of Ruffino et al. (2019) on G's whole image, their lam: for masks that leave
    scattered pixels."""

    @property
    def dead(self) -> float:
        """The hinge: 1 for real images plus 1 for completed ones."""
        return 2 * self.adv_d


class RoIGANParams(Params):
    """All of params.yaml where `model.system` is roigan."""

    model: RoIGANModel
    losses: RoIGANLosses = RoIGANLosses()


class GLCICModel(ModelParams):
    """The networks of GLCIC, which has no controls; a width of 1.0 is the paper."""

    system: Literal["glcic"]


class GLCICLosses(LossParams):
    """The one weight of GLCIC."""

    alpha: Weight = 4e-4
    """Of the adversarial loss beside the mean squared error (4)."""

    @property
    def dead(self) -> float:
        """The log loss: log 2 for real images plus log 2 for completed ones."""
        return 2 * math.log(2)


class GLCICParams(Params):
    """All of params.yaml where `model.system` is glcic."""

    model: GLCICModel
    losses: GLCICLosses = GLCICLosses()


class PixelwiseModel(ModelParams):
    """The networks of the pixel-wise conditioned GAN and of the two that it is compared with; a width of 1.0
    is the paper. Their dense layer hears every pixel: they are for small images."""

    sides: ClassVar[tuple[int, ...]] = (16, 28, 32)
    system: Literal["gan", "cgan", "pixelwise"]
    noise: Positive = 100
    """Numbers of the latent vector z."""

    @property
    def latent(self) -> LatentSizes:
        """Noise alone."""
        return LatentSizes(self.noise)


class PixelwiseLosses(LossParams):
    """The one weight of the pixel-wise conditioned GAN."""

    lam: Weight = 1.0
    """Of the squared error summed over known pixels (4); a mean over images."""

    @property
    def dead(self) -> float:
        """The log loss: log 2 for real images plus log 2 for generated ones."""
        return 2 * math.log(2)


class CGANLosses(PixelwiseLosses):
    """What GAN and CGAN are: no penalty."""

    lam: Annotated[float, Field(ge=0, le=0)] = 0.0


class PixelwiseParams(Params):
    """All of params.yaml where `model.system` is pixelwise."""

    model: PixelwiseModel
    losses: PixelwiseLosses = PixelwiseLosses()


class CGANParams(PixelwiseParams):
    """All of params.yaml where `model.system` is gan or cgan."""

    losses: CGANLosses = CGANLosses()


MODELS: dict[str, type[ModelParams]] = {
    "roigan": RoIGANModel,
    "glcic": GLCICModel,
    "gan": PixelwiseModel,
    "cgan": PixelwiseModel,
    "pixelwise": PixelwiseModel,
}
PARAMS: dict[str, type[Params]] = {
    "roigan": RoIGANParams,
    "glcic": GLCICParams,
    "gan": CGANParams,
    "cgan": CGANParams,
    "pixelwise": PixelwiseParams,
}
