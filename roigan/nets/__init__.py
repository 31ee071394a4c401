"""Layers and networks that several systems share."""
