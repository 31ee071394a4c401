"""What params.yaml says of conditional DCGAN: its networks, its losses, and the masks that fit them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from roigan.config.blocks import LatentSizes, LossParams, ModelParams, Positive, Rate, Weight
from roigan.config.params import Params


class ConditionalDCGANModel(ModelParams):
    """The networks of conditional DCGAN; a width of 1.0 has 64 to 512 channels."""

    sides: ClassVar[tuple[int, ...]] = (16, 28, 32, 64, 128)
    system: Literal["conditional_dcgan"]
    space: Literal["identity", "lab"] = "identity"
    """What is generated of a region: all of it, or its colours alone (a and b of CIE Lab)."""
    known_rows: Annotated[int, Field(ge=0)] | None = None
    """The essay's dense layer: G hears whatever is known where all but so many of the lowest rows are to be
    generated (family `top`; 0 is colouring, `grey`), and is of use for nothing else. None: convolutions read
    what is known, wherever that is."""
    noise: Positive = 100
    """Numbers of the latent vector z."""
    noise_scale: Rate = 1.0
    """z is U(-1, 1) times this: how loud it is beside what is known."""
    forced: bool = False
    """D sees G's image with the known coordinates put back, and `losses.lam` is out of use (section 4.1)."""
    blend: Literal["none", "membrane"] = "none"
    """Whether in use the difference at the edge is spread over the region; D sees G as it is."""

    @property
    def coordinates(self) -> str:
        """`space`."""
        return self.space

    @property
    def latent(self) -> LatentSizes:
        """Noise alone."""
        return LatentSizes(self.noise)


class ConditionalDCGANLosses(LossParams):
    """The weights of conditional DCGAN's losses, and how often G moves."""

    adv: Weight = 1.0
    """Of G's log loss; with 0 there is no D."""
    lam: Weight = 100.0
    """Of the mean absolute difference of known coordinates (29)."""
    whole: Weight = 0.0
    """Of the mean absolute difference of whole images (section 4.3: with adv 0 and lam 0 the rival)."""

    @model_validator(mode="after")
    def _something_to_learn(self) -> ConditionalDCGANLosses:
        if not (self.adv or self.lam or self.whole):
            raise ValueError("adv, lam and whole are all 0: G would learn nothing")
        return self


class ConditionalDCGANParams(Params):
    """All of params.yaml where `model.system` is conditional_dcgan."""

    model: ConditionalDCGANModel
    losses: ConditionalDCGANLosses = ConditionalDCGANLosses()

    @model_validator(mode="after")
    def _the_membrane_has_an_edge_and_scales(self) -> ConditionalDCGANParams:
        size = self.data.image_size
        if self.model.blend == "membrane" and self.model.space != "identity":
            raise ValueError("model.blend is membrane: colours alone have no edge; set it to none")
        if self.model.blend == "membrane" and size & (size - 1):
            raise ValueError(f"model.blend is membrane, which halves the side, and {size} is no power of 2")
        return self

    @model_validator(mode="after")
    def _the_masks_are_those_that_g_hears(self) -> ConditionalDCGANParams:
        rows, size = self.model.known_rows, self.data.image_size
        if rows is None:
            return self
        if rows >= size:
            raise ValueError(f"model.known_rows is {rows} of {size}: no row is left to generate")
        fitting = "top" if rows else "grey"
        families = {*self.masks.evaluate, *(name for name, weight in self.masks.train.items() if weight)}
        if families != {fitting} or (rows and self.masks.known_rows(size) != rows):
            share = f" and masks.known_share: {rows / size:.4g}" if rows else ""
            raise ValueError(
                f"model.known_rows is {rows}: G hears nothing else, so masks must be {fitting} alone{share}; "
                "null takes any"
            )
        return self
