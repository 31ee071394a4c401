"""The command `roigan`: `main.py` knows which commands there are; each has a file of its own."""
