"""Comments stand above their keys: behind a key they end up inside its value once that becomes a list."""

from __future__ import annotations

import re

BEHIND = re.compile(r"(?P<indent> *)(?P<key>[\w.-]+:(?: .*?)?) +(?P<comment>#.*)")


def comments_above(text: str) -> str:
    """A YAML text in which every comment behind a key stands on a line of its own, above.

    ruamel, which DVC writes with as well, keeps a comment where it was: from `gates:  # all must hold` above
    a list it makes the same line above `[]`, which is no YAML.
    """
    lines = list[str]()
    for line in text.splitlines():
        found = BEHIND.fullmatch(line)
        lines += (
            [found["indent"] + found["comment"], found["indent"] + found["key"].rstrip()] if found else [line]
        )
    return "\n".join(lines) + "\n"
