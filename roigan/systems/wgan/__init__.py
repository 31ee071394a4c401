"""WGAN-GP: networks, losses and players."""
