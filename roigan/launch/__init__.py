"""The only room that knows Ray: where a training runs, and where a search runs its trials."""

from roigan.launch.training import CODE, forget, launch, run_name

__all__ = ["CODE", "forget", "launch", "run_name"]
