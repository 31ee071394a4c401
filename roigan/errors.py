"""The one error that users are meant to see: a line that says what is wrong and what to do, exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Callable


class UserError(Exception):
    """Bad input from outside (a path, a number, an image). Its text is one clear line."""


def brief(error: Exception) -> str:
    """What a library's error says, as one line of at most 300 characters; its type, where it says nothing."""
    return (" ".join(str(error).split()) or type(error).__name__)[:300]


def last_line(text: str) -> str:
    """Of an error that carries a traceback of another process: what went wrong."""
    return (text.strip().splitlines() or [""])[-1]


def exit_on_user_error(main: Callable[[], None]) -> None:
    """Run `main`; a UserError becomes one line on standard error and exit code 2, without a traceback."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # a file or folder that may not be read, say: its own words name it
        if error.filename is None:
            raise
        print(f"error: {brief(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
