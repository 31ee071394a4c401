"""Where MLflow keeps things, and a client that is quiet and speaks in one line when something is wrong.

The store is MLFLOW_TRACKING_URI where that is set and not empty, else a database in the folder `.roigan`.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import requests
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from roigan.errors import UserError, brief
from roigan.files import paths
from roigan.tracking.places import ARTIFACTS, make_relative

logging.getLogger("alembic").setLevel(logging.ERROR)  # a line for every table of a new database
logging.getLogger("mlflow.store.db.utils").setLevel(
    logging.CRITICAL
)  # a traceback for what it raises as well

PATIENCE = 5  # seconds in which a server has to say that it is there
EMPTY = "no model is registered yet; `uv run dvc repro` makes one (after --pull: dvc repro -f -s register)"

OWN = "sqlite:///.roigan/mlflow.db"


def store_uri() -> str:
    """URI of the store, absolute, so that it can be handed to a process that runs in another folder."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or OWN
    if not uri.startswith("sqlite"):
        return uri
    try:
        url = make_url(uri)
    except SQLAlchemyError as error:
        raise UserError(f"MLFLOW_TRACKING_URI: {brief(error)}; write sqlite:///FILE") from None
    if not url.database or url.database.startswith((":", "file:")):
        return uri
    path = str(paths.home() / url.database)  # an absolute path stays what it is
    # what means something in a URI is escaped; for `sqlite:` alone, MLflow makes a folder of the escaped name
    driver = "sqlite" if quote(path, safe=" +/") == path else "sqlite+pysqlite"
    return url.set(drivername=driver, database=path).render_as_string(hide_password=False)


def _own() -> Path | None:
    """The store's database, where it lies in the project: by default, or by name."""
    uri = store_uri()
    path = Path(make_url(uri).database or "") if uri.startswith("sqlite") else Path()
    return path if path.is_absolute() and path.is_relative_to(paths.home()) else None


@contextmanager
def client(uri: str | None = None) -> Iterator[MlflowClient]:
    """A client of the store (`uri`, where the driver has told it); MLflow's errors become UserErrors."""
    try:
        if uri is None and (database := _own()):
            _create_database(database)
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
    """A client for whoever only looks: a UserError where there is no database yet, instead of a new one.

    Nothing is written, not even a lock: the project may be a colleague's, or on a disk that is read-only.
    """
    database = _own()
    if database and not database.is_file():
        here = (paths.home() / "params.yaml").is_file()
        raise UserError(EMPTY if here else "no project lies here; run from the folder of params.yaml")
    with client(store_uri() if database and _is_complete(database) else None) as opened:
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
    database = _own()
    found = opened.get_experiment_by_name(name)
    if found and found.lifecycle_stage == "deleted":
        number, store = found.experiment_id, opened.tracking_uri
        raise UserError(
            f"experiment {name!r} is deleted in MLflow; bring it back: MLFLOW_TRACKING_URI='{store}' "
            f"uv run mlflow experiments restore --experiment-id {number} (or, for good: uv run mlflow gc "
            f"--backend-store-uri '{store}' --experiment-ids {number}); or change register.experiment"
        )
    if found:
        return str(found.experiment_id)
    place = (paths.home() / ARTIFACTS).as_uri() if database else None
    created = str(opened.create_experiment(name, artifact_location=place))
    if database:
        make_relative(database)
    return created


def _create_database(database: Path) -> None:
    """Under a lock: processes that create the tables at the same time fail."""
    with FileLock(paths.state() / "mlflow.lock"):
        MlflowClient(store_uri()).search_experiments(max_results=1)
        make_relative(database)


def _is_complete(database: Path) -> bool:
    """Whether no process is still making the database's tables: the first experiment comes last."""
    engine = create_engine(make_url(store_uri()))
    try:
        with engine.connect() as connection:
            return connection.execute(text("SELECT count(*) FROM experiments")).scalar_one() > 0
    except SQLAlchemyError:
        return False
    finally:
        engine.dispose()
