"""Picture files: decoded for training, or read and written without loss."""
