"""The bytes of a file that may be too large, without end, or a pipe that nobody writes to."""

from __future__ import annotations

import os
import select
import stat
import time
from pathlib import Path

MAX_PIPED = 2**30  # bytes: nobody says beforehand how much it will be
PATIENCE = 5.0  # seconds: of two programs that a shell starts at once, one is later


class Unusable(Exception):
    """A picture that cannot be used. Its text is the reason, for the table of rejects."""


def read_contents(path: Path, limit: int, pipes: bool = False) -> bytes:
    """All bytes of a file, `limit` at most.

    pipes: whether it may be a pipe, as in `--mask <(convert ...)`. Whoever writes
    to a pipe is waited for; where nobody does, only for some seconds. Raises Unusable, and FileNotFoundError
    where nothing lies.
    """
    try:
        # not to block: without a writer, a pipe would not even be opened
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            pipe = stat.S_ISFIFO(status.st_mode)
            if not (stat.S_ISREG(status.st_mode) or (pipes and pipe)):
                raise Unusable("unreadable: a pipe, a folder or a device")
            limit = min(limit, MAX_PIPED) if pipe else limit
            if status.st_size <= limit:
                content = _read(descriptor, limit + 1, max(status.st_size + 1, 2**20), pipe)
                if len(content) <= limit:
                    return content
            raise Unusable(f"absurdly large: a file of more than {limit >> 20} MiB")
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unusable(f"unreadable: {error.strerror}") from None


def _read(descriptor: int, most: int, at_once: int, pipe: bool) -> bytes:
    """at_once: bytes to ask for, so that a file comes in one piece and not in two copies."""
    parts: list[bytes] = []
    left, end = most, time.monotonic() + PATIENCE
    while left:
        try:
            part = os.read(descriptor, min(left, at_once))
        except BlockingIOError:  # a pipe with a writer who has nothing yet
            pipe = False
            select.select([descriptor], [], [])
            continue
        if part:
            parts.append(part)
            left -= len(part)
        elif not pipe or parts:
            break
        elif time.monotonic() > end:  # what an empty pipe without any writer looks like
            raise Unusable("unreadable: a pipe that nobody writes to")
        else:
            time.sleep(0.02)
    return b"".join(parts)
