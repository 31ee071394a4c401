"""Memory that is freed stays with the process, and training sees to that before anything else."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from roigan.training import allocator, loop
from roigan.training.worker import Worker
from tests.conftest import ROOT, Small

# In a process of its own, for it cannot be taken back: how many MiB are held after 256 of them were freed.
FREED = """
import ctypes, pathlib, sys
from roigan.training.allocator import keep_memory

def held():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) // 256  # pages of 4 KiB

if sys.argv[1] == "keep":
    keep_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
before = held()
block = ctypes.c_void_p(libc.malloc(ctypes.c_size_t(256 << 20)))
ctypes.memset(block, 1, 256 << 20)
libc.free(block)
print(held() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator here is not glibc's")
@pytest.mark.parametrize(("wish", "least", "most"), [("keep", 250, 300), ("default", -10, 10)])
def test_freed_memory_is_kept(wish: str, least: int, most: int) -> None:
    command = [sys.executable, "-c", FREED, wish]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert least <= int(done.stdout) <= most


def test_where_there_is_no_mallopt_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", Mock(return_value=object()))  # as of musl
    allocator.keep_memory()
    monkeypatch.setattr(ctypes, "CDLL", Mock(side_effect=OSError))
    monkeypatch.setattr(sys, "platform", "win32")
    allocator.keep_memory()


def test_training_keeps_memory_from_its_first_line_on(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "keep_memory", Mock(side_effect=InterruptedError))
    with pytest.raises(InterruptedError):
        loop.train(small(), Worker("run", tmp_path, lambda row, folder: None, tmp_path))
