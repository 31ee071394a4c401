"""Where things lie, files written atomically, tensors on disk."""
