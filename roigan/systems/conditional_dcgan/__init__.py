"""DCGAN: networks, losses and players."""
