"""What params.yaml says of each system: its networks, its losses. Choosing is a dict."""

from __future__ import annotations

from roigan.config.blocks import ModelParams
from roigan.config.params import Params
from roigan.config.systems.chromagan import ChromaGANModel, ChromaGANParams
from roigan.config.systems.conditional_dcgan import ConditionalDCGANModel, ConditionalDCGANParams
from roigan.config.systems.dcgan import DCGANModel, DCGANParams
from roigan.config.systems.glcic import GLCICModel, GLCICParams
from roigan.config.systems.history_ad import HistoryADModel, HistoryADParams
from roigan.config.systems.igan import IGANModel, IGANParams
from roigan.config.systems.pixelwise import PixelwiseModel, PixelwiseParams
from roigan.config.systems.roigan import RoIGANModel, RoIGANParams
from roigan.config.systems.wgan import WGANModel, WGANParams

MODELS: dict[str, type[ModelParams]] = {
    "roigan": RoIGANModel,
    "conditional_dcgan": ConditionalDCGANModel,
    "dcgan": DCGANModel,
    "wgan": WGANModel,
    "igan": IGANModel,
    "glcic": GLCICModel,
    "pixelwise": PixelwiseModel,
    "history_ad": HistoryADModel,
    "chromagan": ChromaGANModel,
}
PARAMS: dict[str, type[Params]] = {
    "roigan": RoIGANParams,
    "conditional_dcgan": ConditionalDCGANParams,
    "dcgan": DCGANParams,
    "wgan": WGANParams,
    "igan": IGANParams,
    "glcic": GLCICParams,
    "pixelwise": PixelwiseParams,
    "history_ad": HistoryADParams,
    "chromagan": ChromaGANParams,
}
