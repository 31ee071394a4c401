"""Sources of pictures -> packed arrays (stage `prepare`)."""
