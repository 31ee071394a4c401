"""Systems: one file per paper, with its networks, its losses and its players. Choosing is a dict."""

from __future__ import annotations

from roigan.systems.conditional_dcgan.system import ConditionalDCGAN
from roigan.systems.dcgan.system import DCGAN
from roigan.systems.glcic.system import GLCIC
from roigan.systems.interface import System
from roigan.systems.pixelwise.system import Pixelwise
from roigan.systems.roigan.system import RoIGAN

SYSTEMS: dict[str, type[System]] = {
    "roigan": RoIGAN,
    "conditional_dcgan": ConditionalDCGAN,
    "dcgan": DCGAN,
    "glcic": GLCIC,
    "pixelwise": Pixelwise,
}
