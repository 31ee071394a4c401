"""One piece of work at a time: a model takes all cores, and two at once would both be late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from starlette.exceptions import HTTPException

T = TypeVar("T")


class Gate:
    """Runs functions in a thread, one after the other; `waiting` of them may wait, others are refused."""

    def __init__(self, waiting: int = 8) -> None:
        self.waiting, self._inside = waiting, 0
        self._turn = asyncio.Lock()

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns, in its turn; raises HTTPException 503 where too many wait already."""
        if self._inside > self.waiting:
            raise HTTPException(503, "busy; try again in a second", {"Retry-After": "1"})
        self._inside += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work)
        finally:
            self._inside -= 1
