"""iGAN's network: photographs onto the manifold of a prior."""
