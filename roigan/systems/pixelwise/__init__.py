"""Pixel-wise conditioned GANs: networks, losses and players."""
