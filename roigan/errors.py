"""How a program ends: a line that says what is wrong and what to do, exit code 2, whatever its streams."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class UserError(Exception):
    """Bad input from outside (a path, a number, an image). Its text is one clear line."""


def brief(error: Exception) -> str:
    """What a library's error says, as one line of at most 300 characters; its type, where it says nothing."""
    return (" ".join(str(error).split()) or type(error).__name__)[:300]


def last_line(text: str) -> str:
    """Of an error that carries a traceback of another process: what went wrong."""
    return (text.strip().splitlines() or [""])[-1]


UNNAMEABLE = ("Symlink loop", "Could not determine home")  # RuntimeErrors of pathlib about a path


def exit_on_user_error(main: Callable[[], None]) -> None:
    """Run `main`; a UserError becomes one line on standard error and exit code 2, without a traceback.

    What cannot be printed ends with 1, as with other tools; where the reader has gone (`| head`), quietly
    with the 141 that a shell shows for such an end.
    """
    output = _open_streams()
    sys.unraisablehook = _ask_again
    try:
        try:
            main()
        finally:
            with suppress(OSError):
                sys.stdout.flush()
        _end_if_lost(output)
    except SystemExit:  # of --help, say
        _end_if_lost(output)
        raise
    except UserError as error:
        _say(error)
        sys.exit(2)
    except RuntimeError as error:
        if not str(error).startswith(UNNAMEABLE):
            raise
        _say(UserError(f"{brief(error)}; name another path"))
        sys.exit(2)
    except OSError as error:
        if error.filename is None:
            _end_if_lost(output)
            raise
        _say(error)  # a file or folder that may not be read, say: its own words name it
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _ask_again(lost: sys.UnraisableHookArgs) -> None:
    """Ctrl-C that arrives inside a destructor or a weak reference's callback is dropped there by Python: it
    is sent once more, when that is over."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGINT]).start()
    else:
        sys.__unraisablehook__(lost)


def _say(error: Exception) -> None:
    print(f"error: {brief(error) if isinstance(error, OSError) else error}", file=sys.stderr)


class _Noting(io.FileIO):
    """Standard output, which notes that it could not be written: whoever prints may have passed over that."""

    failed: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.failed = error
            raise


class _Lossy(io.FileIO):
    """Standard error where it is full or gone: what is said there is no reason for work to end."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def _open_streams() -> _Noting | None:
    """Streams that the shell has closed (`2>&-`) lead nowhere; else the next file that is opened would get
    their number, and with it what libraries print. Returns standard output, where it is the process' own."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115
    if sys.__stderr__ in (None, sys.stderr):  # and not a test's own
        sys.stderr = _text(_Lossy(2, "w", closefd=False), sys.stderr, line_buffering=True)
    if sys.__stdout__ not in (None, sys.stdout):
        return None
    sys.stdout.flush()
    raw = _Noting(1, "w", closefd=False)
    sys.stdout = _text(
        raw, sys.stdout, line_buffering=raw.isatty() or getattr(sys.stdout, "write_through", False)
    )
    return raw


def _text(raw: io.FileIO, like: Any, line_buffering: bool) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(raw), like.encoding, like.errors, line_buffering=line_buffering)


def _end_if_lost(output: _Noting | None) -> None:
    """Exit where what was printed has not arrived, and have nothing more said of it when Python ends."""
    if output is None or output.failed is None:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    if isinstance(output.failed, BrokenPipeError):
        sys.exit(128 + 13)
    _say(UserError(f"standard output cannot be written ({output.failed.strerror})"))
    sys.exit(1)
