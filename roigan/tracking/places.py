"""Where artefacts lie: MLflow's database names what lies in the project relative to the project.

So a project may be moved, copied and renamed, and no name of a folder stands in an address. A relative place
is one for MLflow's own commands as well, where they are started in the project's folder.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from mlflow import MlflowClient
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from sqlalchemy import URL, Connection, create_engine, inspect, text

from roigan.files import paths

ARTIFACTS = ".roigan/mlartifacts"
# what an older version wrote: the place where the project lay at that time
OLD = re.compile(rf"(?:file:)?/.*/({re.escape(ARTIFACTS)}(?:/.*)?)", re.DOTALL)
COLUMNS = [
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
]


def relative(place: str) -> str:
    """A place in this project, or in the one that the database came from, relative to the project; another
    place as it is."""
    if old := OLD.fullmatch(place):
        return old[1]
    path = local(place)
    if path and path.is_absolute() and path.is_relative_to(paths.home()):
        return quote(path.relative_to(paths.home()).as_posix())
    return place


def here(place: str) -> str:
    """A place as an address that holds in every working folder, that of a queued experiment included."""
    path = local(relative(place))
    return (paths.home() / path).as_uri() if path else place


def local(place: str) -> Path | None:
    """The path of a place on this machine; None for one that is elsewhere."""
    parts = urlsplit(place)
    if parts.scheme not in ("", "file"):
        return None
    return Path(url2pathname(parts.path if parts.scheme else place))


def repository(opened: MlflowClient, place: str) -> ArtifactRepository:
    """What lists, fetches and stores the files of a place."""
    return get_artifact_repository(here(place), tracking_uri=opened.tracking_uri)


def repository_of(opened: MlflowClient, run_id: str) -> ArtifactRepository:
    """`repository`, of a run."""
    return repository(opened, str(opened.get_run(run_id).info.artifact_uri))


def make_relative(database: Path) -> None:
    """Rewrite the places in a database that lies in the project; nothing is written where all are right."""
    engine = create_engine(URL.create("sqlite", database=str(database)))
    try:
        with engine.connect() as connection:
            changes = _changes(connection)
        if changes:
            with engine.begin() as connection:
                for (table, column), values in changes.items():
                    set_it = text(f"UPDATE {table} SET {column} = :new WHERE {column} = :old")
                    connection.execute(set_it, values)
    finally:
        engine.dispose()


def _changes(connection: Connection) -> dict[tuple[str, str], list[dict[str, str]]]:
    """By table and column: what is to be replaced, and by what."""
    tables = set(inspect(connection).get_table_names())
    changes = {}
    for table, column in COLUMNS:
        if table not in tables:  # of an older MLflow
            continue
        found = connection.execute(
            text(f"SELECT DISTINCT {column} FROM {table} WHERE {column} LIKE '/%' OR {column} LIKE 'file:%'")
        )
        pairs = [{"old": place, "new": relative(place)} for (place,) in found]
        if wrong := [pair for pair in pairs if pair["old"] != pair["new"]]:
            changes[table, column] = wrong
    return changes
