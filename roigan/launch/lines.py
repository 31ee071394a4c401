"""Lines of progress, from whatever process of a Ray group to the terminal of the driver."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, suppress
from typing import Any

from roigan.launch.meanwhile import meanwhile


class Lines:
    """A queue that every process of the group may hold; it lives beside the driver, and ends with it."""

    def __init__(self) -> None:
        import ray
        from ray.util.queue import Queue
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self.queue: Any = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})

    def say(self, line: str) -> None:
        """Have a line printed; want of a listener stops no training."""
        from ray.exceptions import RayError

        with suppress(RayError):
            self.queue.put(line)

    def printed(self) -> AbstractContextManager[None]:
        """Print what is said meanwhile, all of it before this ends."""
        return meanwhile(self._print)

    def _print(self, stop: threading.Event) -> None:
        ended = False
        while not ended:
            ended = stop.wait(0.5)
            for line in self._waiting():
                print(line, flush=True)

    def _waiting(self) -> list[str]:
        from ray.exceptions import RayError

        with suppress(RayError):  # the group is gone, and what it had to say with it
            lines: list[str] = self.queue.get_nowait_batch(self.queue.qsize())
            return lines
        return []
