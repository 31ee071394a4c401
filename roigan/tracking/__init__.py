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
