"""Functions under test and test images -> a table, gates and control."""
