"""One metric per file, with its paper."""
