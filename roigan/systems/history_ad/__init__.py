"""HistoryAD: a detector of what is not like the training images, from the past of a WGAN-GP."""
