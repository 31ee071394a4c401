"""Where MLflow keeps things, and a client that is quiet and speaks in one line when something is wrong.

The store is MLFLOW_TRACKING_URI where that is set, else a database in the project's own `.roigan` folder.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from roigan import paths
from roigan.errors import UserError

logging.getLogger("alembic").setLevel(logging.ERROR)  # a line for every table of a new database

EMPTY = "no model is registered yet; `uv run dvc repro` makes one (after --pull: dvc repro -f -s register)"


def store() -> str:
    """URI of the store, absolute, so that it can be handed to a process that runs in another folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{paths.home() / '.roigan' / 'mlflow.db'}"


@contextmanager
def client(uri: str | None = None) -> Iterator[MlflowClient]:
    """A client of the store (`uri`, where the driver has told it); MLflow's errors become UserErrors."""
    try:
        if uri is None and "MLFLOW_TRACKING_URI" not in os.environ:
            _create_database()
        yield MlflowClient(uri or store())
    except (MlflowException, SQLAlchemyError) as error:
        said = " ".join(f"MLflow at {uri or store()}: {error}".split())
        raise UserError(re.sub("//[^/@ ]*@", "//", said)[:400]) from None  # an address may hold a password


@contextmanager
def reader() -> Iterator[MlflowClient]:
    """A client for whoever only looks: a UserError where there is no database yet, instead of a new one."""
    if "MLFLOW_TRACKING_URI" not in os.environ and not (paths.home() / ".roigan" / "mlflow.db").is_file():
        raise UserError(EMPTY)
    with client() as opened:
        yield opened


def experiment_id(opened: MlflowClient, name: str) -> str:
    """The experiment's id; created on first use, with its artefacts beside the local database."""
    found = opened.get_experiment_by_name(name)
    if found:
        return str(found.experiment_id)
    local = "MLFLOW_TRACKING_URI" not in os.environ
    place = (paths.state() / "mlartifacts").as_uri() if local else None
    return str(opened.create_experiment(name, artifact_location=place))


def _create_database() -> None:
    """Under a lock: processes that create the tables at the same time fail."""
    with open(paths.state() / "mlflow.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        MlflowClient(store()).search_experiments(max_results=1)
