"""Losses as pure functions of tensors: they know no configuration and never call backward."""
