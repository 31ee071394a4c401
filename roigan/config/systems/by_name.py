"""What params.yaml says of each system: its networks, its losses. Choosing is a dict."""

from __future__ import annotations

from roigan.config.blocks import ModelParams
from roigan.config.params import Params
from roigan.config.systems.conditional_dcgan import ConditionalDCGANModel, ConditionalDCGANParams
from roigan.config.systems.dcgan import DCGANModel, DCGANParams
from roigan.config.systems.glcic import GLCICModel, GLCICParams
from roigan.config.systems.pixelwise import PixelwiseModel, PixelwiseParams
from roigan.config.systems.roigan import RoIGANModel, RoIGANParams

MODELS: dict[str, type[ModelParams]] = {
    "roigan": RoIGANModel,
    "conditional_dcgan": ConditionalDCGANModel,
    "dcgan": DCGANModel,
    "glcic": GLCICModel,
    "pixelwise": PixelwiseModel,
}
PARAMS: dict[str, type[Params]] = {
    "roigan": RoIGANParams,
    "conditional_dcgan": ConditionalDCGANParams,
    "dcgan": DCGANParams,
    "glcic": GLCICParams,
    "pixelwise": PixelwiseParams,
}
