"""Measures of completed images, one file each, which says its paper, its range and what it cannot see."""
