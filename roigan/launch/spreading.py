"""Work with a model on many pictures: here, or on all cores of the cluster that RAY_ADDRESS names."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from roigan.launch.cluster import named, start_ray

if TYPE_CHECKING:
    from roigan.systems.model import Model

Task = TypeVar("Task")
Done = TypeVar("Done")
Work = Callable[["Model", Task], Done]

WAITING = 2  # tasks at hand for every one that is worked on: bounds what of them is in memory


def spread(model: Model, work: Work[Task, Done], tasks: Iterable[Task]) -> Iterator[tuple[Task, Done]]:
    """Every task with what `work(model, task)` made of it, in their order.

    On a cluster each takes a core, or a GPU where there are some, and what a lost machine had not brought
    back is done by another one. Tasks and results travel: the machines need not share a disk. What `work`
    raises is raised here.
    """
    if not named():
        for task in tasks:
            yield task, work(model, task)
        return
    start_ray(1)
    import ray
    from ray.exceptions import RayTaskError

    resources = ray.cluster_resources()
    kind = "GPU" if resources.get("GPU") else "CPU"
    remote: Any = ray.remote(_on_one).options(num_cpus=1, num_gpus=float(kind == "GPU"))
    shared, ahead = ray.put(model.to("cpu")), max(1, int(resources[kind])) * WAITING
    begun: deque[tuple[Task, Any]] = deque()

    def first() -> tuple[Task, Done]:
        task, reference = begun.popleft()
        try:
            return task, ray.get(reference)
        except RayTaskError as error:
            raise error.cause from None

    for task in tasks:
        begun.append((task, remote.remote(shared, work, task)))
        if len(begun) == ahead:
            yield first()
    while begun:
        yield first()


def _on_one(model: Model, work: Work[Task, Done], task: Task) -> Done:
    import torch

    torch.set_num_threads(1)
    return work(model.to("cuda" if torch.cuda.is_available() else "cpu"), task)
