"""The only room that knows MLflow: runs with their metrics and files, and the registry of models.

Runs are found by tags, never by an id that is kept somewhere: a training that resumes goes on in its run, and
a clone that has the artefacts but not the runs makes them anew.
"""

import os

# MLflow reads these when it is imported
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # it may hold a login
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # a server that answers 5xx: 14 s, not minutes

from roigan.tracking.outbox import Outbox, outbox
from roigan.tracking.promotion import champion, history, promote, refuse, rollback
from roigan.tracking.registry import (
    CANDIDATE,
    CHAMPION,
    compare,
    download,
    find_version,
    load_registered,
    log_control,
    log_evaluation,
    model_table,
    register,
    registered,
)
from roigan.tracking.runs import find_run, log_artifacts, log_metrics, set_aside, start_run
from roigan.tracking.store import store

__all__ = [
    "CANDIDATE",
    "CHAMPION",
    "Outbox",
    "champion",
    "compare",
    "download",
    "find_run",
    "find_version",
    "history",
    "load_registered",
    "log_artifacts",
    "log_control",
    "log_evaluation",
    "log_metrics",
    "model_table",
    "outbox",
    "promote",
    "refuse",
    "register",
    "registered",
    "rollback",
    "set_aside",
    "start_run",
    "store",
]
