"""GLCIC: networks, losses and players."""
