"""Applications for people who do not train: the editor in the browser, and recipes that replay its work."""
