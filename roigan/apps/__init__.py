"""Applications for people who do not train: the editor in the browser, recipes that replay its work, and the
anonymiser of films."""
