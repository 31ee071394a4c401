"""What is asked of a model: families of masks, samplers, caches."""
