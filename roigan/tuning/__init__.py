"""Trials of a search: objective, table, live table, figures."""
