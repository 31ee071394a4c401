"""ChromaGAN (Vitoria et al. 2020)."""
