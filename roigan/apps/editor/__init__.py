"""The editor: a page without a build step, and the server that it asks. `serve.py` starts it."""
