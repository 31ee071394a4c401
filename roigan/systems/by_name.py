"""Systems: one file per paper, with its networks, its losses and its players. Choosing is a dict."""

from __future__ import annotations

from roigan.systems.chromagan.system import ChromaGAN
from roigan.systems.conditional_dcgan.system import ConditionalDCGAN
from roigan.systems.dcgan.system import DCGAN
from roigan.systems.glcic.system import GLCIC
from roigan.systems.history_ad.system import HistoryAD
from roigan.systems.igan.system import IGAN
from roigan.systems.interface import System
from roigan.systems.pixelwise.system import Pixelwise
from roigan.systems.roigan.system import RoIGAN
from roigan.systems.wgan.system import WGAN

SYSTEMS: dict[str, type[System]] = {
    "roigan": RoIGAN,
    "conditional_dcgan": ConditionalDCGAN,
    "dcgan": DCGAN,
    "wgan": WGAN,
    "igan": IGAN,
    "glcic": GLCIC,
    "pixelwise": Pixelwise,
    "history_ad": HistoryAD,
    "chromagan": ChromaGAN,
}
