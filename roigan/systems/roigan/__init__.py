"""RoI-GAN: networks, losses and players."""
