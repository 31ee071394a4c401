"""What params.yaml says of RoI-GAN: its networks and its losses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from roigan.config.blocks import LatentSizes, LossParams, ModelParams, Positive, Weight
from roigan.config.params import Params


class RoIGANModel(ModelParams):
    """The networks of RoI-GAN; a width of 1.0 is the thesis."""

    system: Literal["roigan"]
    depth: Positive = 1
    """Convolutions of every upsample block after its branches merge; 1 is the thesis, more are residual."""
    noise: Positive = 146
    """Numbers of incompressible noise z0."""
    read_noise: Annotated[int, Field(ge=0)] = 0
    """So many numbers of z0 are read back as sliders are, and style the denormalisations beside them: another
    seed then paints something else. Losses that compare with the original punish every difference, and what
    no reader asks for does not survive them."""
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
    discriminator: Literal["pixels", "features"] = "pixels"
    """What D sees: an image and its mask, as in the thesis, or the maps that the frozen feature network makes
    of it (Sauer et al. 2021); then losses.fm, gp, zero and style have no use."""
    space: Literal["identity", "lab"] = "identity"
    """What is generated of a region: all of it, or its colours alone (a and b of CIE Lab), and its lightness
    stays."""
    blend: Literal["none", "colours", "membrane"] = "membrane"
    """How a filling meets its surroundings. The thesis' normalisations hide the colours around the region
    from G (none); G may paint onto their smooth continuation (colours); and what is left of the difference
    at the edge may be spread over the region, as in Poisson blending (membrane)."""
    direct_controls: bool = True
    """Sliders and codes are scaled up against the noise (92 % of the energy in the thesis), a code
    is a point on a circle, and both style the denormalisations beside f(z), where nothing scrambles them."""
    reader: Literal["trunk", "own"] = "own"
    """What Q reads the controls from: D's last maps, as in the thesis, or the completed image, by
    convolutions of its own."""
    output_norm: bool = False
    """InstanceNorm before the final tanh, as in the thesis: all images then have one mean and contrast."""

    @model_validator(mode="after")
    def _noise_is_there_to_read(self) -> RoIGANModel:
        if self.read_noise > self.noise:
            raise ValueError(f"read_noise is {self.read_noise}, above noise, which is {self.noise}")
        return self

    @property
    def coordinates(self) -> str:
        """`space`."""
        return self.space

    @property
    def latent(self) -> LatentSizes:
        """z = cat(z0, c, one-hot k)."""
        return LatentSizes(self.noise, self.sliders, self.codes, self.values)


class RoIGANLosses(LossParams):
    """One weight per row of the thesis' loss table; the formulas are in roigan/losses and roigan/systems."""

    adv_d: Weight = 1.0
    """Of D's hinge loss."""
    gp: Weight = 0.5
    """Of the gradient penalty (3.10). The thesis' 5 kept D's hinge loss at 2 for hundreds of steps."""
    zero: Weight = 1e-4
    """Of the mean square of D's scores of real images (3.13), which keeps them near 0."""
    adv_g: Weight = 1.0
    """Of G's hinge loss."""
    fm: Weight = 1.0
    """Of feature matching: distances of D's maps of completed and real images (3.11)."""
    perceptual: Weight = 5.0
    """Of distances of the feature network's maps (3.12), scaled to a mean of 1 each, whatever the network."""
    tv: Weight = 0.5
    """Of the total variation of completed images in the region (2.10)."""
    chroma: Weight = 15.0
    """Of the total variation of the colours alone, without which regions fill with coloured specks."""
    kl: Weight = 0.5
    """Of the divergence of the encoder's posterior from N(0, 1) (1.6), a mean over dimensions."""
    info: Weight = 0.3
    """Of what Q lacks to know sliders and codes, in nats (3.15, 3.16)."""
    l1: Weight = 0.0
    """Of the mean absolute difference of G's whole image and the original."""
    diversity: Weight = 0.0
    """Of what the structures of two fillings lack of a difference, where z0 alone differs (Yang et al. 2019).
    Losses that compare with the original punish every difference, and nothing else asks for this one."""
    diversity_every: Positive = 1
    """Steps from one such question, a second pass of G, to the next; it is then so many times as loud."""
    style: Weight = 0.0
    """Of distances of Gram matrices of the feature network's maps (Gatys et al. 2016)."""
    known: Weight = 0.0
    """The pixel-wise penalty of Ruffino et al. (2019) on G's whole image, their lam: for masks that leave
    scattered pixels."""


class RoIGANParams(Params):
    """All of params.yaml where `model.system` is roigan."""

    model: RoIGANModel
    losses: RoIGANLosses = RoIGANLosses()

    @model_validator(mode="after")
    def _losses_fit_what_D_sees(self) -> RoIGANParams:
        if self.model.discriminator == "features":
            if self.model.reader == "trunk":
                raise ValueError("model.reader: trunk reads D's maps of pixels; with features set it to own")
            if idle := [name for name in ("fm", "gp", "zero", "style") if getattr(self.losses, name)]:
                named = ", ".join(f"losses.{name}" for name in idle)
                raise ValueError(f"{named}: of no use where model.discriminator is features; set to 0")
        return self
