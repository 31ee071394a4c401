"""RoI-GAN: new content inside a region of an image, under the control of sliders."""
