"""Where MLflow keeps things, and a client that is quiet and speaks in one line when something is wrong.

The store is MLFLOW_TRACKING_URI where that is set and not empty, else a database in the folder `.roigan`.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from sqlalchemy.exc import SQLAlchemyError

from roigan.errors import UserError
from roigan.files import paths

logging.getLogger("alembic").setLevel(logging.ERROR)  # a line for every table of a new database
logging.getLogger("mlflow.store.db.utils").setLevel(
    logging.CRITICAL
)  # a traceback for what it raises as well

PATIENCE = 5  # seconds in which a server has to say that it is there
EMPTY = "no model is registered yet; `uv run dvc repro` makes one (after --pull: dvc repro -f -s register)"

OWN, SQLITE = ".roigan/mlflow.db", "sqlite:///"


def store_uri() -> str:
    """URI of the store, absolute, so that it can be handed to a process that runs in another folder."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or SQLITE + OWN
    if uri.startswith(SQLITE):
        return f"{SQLITE}{paths.home() / uri.removeprefix(SQLITE)}"  # an absolute path stays what it is
    return uri


def _is_own() -> bool:
    """Whether the store is the project's own database, by default or by name."""
    return store_uri() == f"{SQLITE}{paths.home() / OWN}"


@contextmanager
def client(uri: str | None = None) -> Iterator[MlflowClient]:
    """A client of the store (`uri`, where the driver has told it); MLflow's errors become UserErrors."""
    try:
        if uri is None and _is_own():
            _create_database()
        _reach(uri or store_uri())
        yield MlflowClient(uri or store_uri())
    except (MlflowException, SQLAlchemyError, requests.RequestException) as error:
        raise _complaint(uri or store_uri(), f": {error}") from None


def _reach(uri: str) -> None:
    """Raises UserError, within seconds, where a server does not answer; MLflow would try for minutes."""
    if not uri.startswith(("http://", "https://")):
        return
    creds = get_default_host_creds(uri)
    try:
        answer = requests.get(
            f"{uri.rstrip('/')}/health", timeout=PATIENCE, verify=creds.verify, cert=creds.client_cert_path
        )
        if answer.status_code < 500:
            return
        reason = f"{answer.status_code} {answer.reason}"
    except requests.Timeout:
        reason = f"nothing heard in {PATIENCE} s"
    except requests.RequestException as error:
        reason = str(error).rsplit(": ", 1)[-1].strip("()'\"")
    raise _complaint(uri, f" does not answer ({reason}); start it, or correct MLFLOW_TRACKING_URI")


def _complaint(uri: str, text: str) -> UserError:
    """One line of limited length, without the login that an address may hold, SQL and urllib3's preludes."""
    noise = r"(?<=//)[^/@ ]*@|\(raised as a result of [^)]*\) | \[SQL: .*|HTTPS?ConnectionPool.*\(Caused by "
    return UserError(re.sub(noise, "", " ".join(f"MLflow at {uri}{text}".split()))[:400])


@contextmanager
def reader() -> Iterator[MlflowClient]:
    """A client for whoever only looks: a UserError where there is no database yet, instead of a new one."""
    if _is_own() and not (paths.home() / OWN).is_file():
        here = (paths.home() / "params.yaml").is_file()
        raise UserError(EMPTY if here else "no project lies here; run from the folder of params.yaml")
    with client() as opened:
        yield opened


def model_named(opened: MlflowClient, name: str) -> RegisteredModel:
    """A registered model; UserError names those that there are."""
    models = {model.name: model for model in opened.search_registered_models()}
    if not models:
        raise UserError(EMPTY)
    if name not in models:
        raise UserError(f"no model {name!r} in the registry; there is: {', '.join(models)}")
    return models[name]


def experiment_id(opened: MlflowClient, name: str) -> str:
    """The experiment's id; created on first use, with its artefacts beside the local database."""
    found = opened.get_experiment_by_name(name)
    if found:
        return str(found.experiment_id)
    place = (paths.state() / "mlartifacts").as_uri() if _is_own() else None
    return str(opened.create_experiment(name, artifact_location=place))


def _create_database() -> None:
    """Under a lock: processes that create the tables at the same time fail."""
    with FileLock(paths.state() / "mlflow.lock"):
        MlflowClient(store_uri()).search_experiments(max_results=1)
