"""The only room that knows Ray: where a training runs, and where a search runs its trials."""
