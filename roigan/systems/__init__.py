"""Systems: one file per paper, with its networks, its losses and its players. Choosing is a dict."""

from roigan.systems.roigan import RoIGAN

SYSTEMS = {"roigan": RoIGAN}
