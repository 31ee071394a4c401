"""A panel of people who say whether pictures look natural: a page to hand out, and what came of it."""
