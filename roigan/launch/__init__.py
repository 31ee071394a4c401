"""The only room that knows Ray: where a training runs, and where a search runs its trials."""

from roigan.launch.identity import CODE, run_name, search_name
from roigan.launch.training import forget, interrupted, launch
from roigan.launch.tuning import forget_search, interrupted_search, search

__all__ = [
    "CODE",
    "forget",
    "forget_search",
    "interrupted",
    "interrupted_search",
    "launch",
    "run_name",
    "search",
    "search_name",
]
