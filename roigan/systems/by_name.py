"""Systems: one file per paper, with its networks, its losses and its players. Choosing is a dict."""

from __future__ import annotations

from roigan.systems.dcgan import DCGAN
from roigan.systems.glcic import GLCIC
from roigan.systems.interface import System
from roigan.systems.pixelwise import Pixelwise
from roigan.systems.roigan.system import RoIGAN

SYSTEMS: dict[str, type[System]] = {
    "roigan": RoIGAN,
    "dcgan": DCGAN,
    "glcic": GLCIC,
    "gan": Pixelwise,
    "cgan": Pixelwise,
    "pixelwise": Pixelwise,
}
