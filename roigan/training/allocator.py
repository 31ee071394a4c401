"""Memory that a step has freed is kept for the next: asking the system again costs more than filling it."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h


def keep_memory() -> None:
    """Have this process's malloc keep what is freed, large blocks as well; for good, and on Linux only.

    By default glibc returns every block from 32 MiB on to the kernel, which clears each page of it anew when
    the next step asks: ten times as long as an elementwise operation takes to write it (docs/performance.md).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:  # musl has none
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
