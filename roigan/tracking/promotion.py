"""Who is champion and why: alias `champion` moves under a lock, and every decision is kept with its reason.

A decision is a tag of the version that it is about: promotion/TIME = "promoted: all 2 gates hold". Replayed
in their order they give the line of champions, so that a rollback needs no memory of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pandas as pd
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from roigan.errors import UserError
from roigan.files import paths
from roigan.tracking.registry import CHAMPION, find_version
from roigan.tracking.store import client, model_named, reader

TAG = "promotion/"
PROMOTED, REFUSED, ROLLED_BACK = "promoted", "refused", "rolled back"
LONGEST = 4000  # characters of a reason; MLflow takes 5000


def champion(name: str) -> ModelVersion | None:
    """The version that has alias `champion`, where one has."""
    with client() as opened:
        number = _champion(opened, name)
    return find_version(f"{name}/{number}") if number else None


def promote(version: ModelVersion, reason: str, over: ModelVersion | None) -> None:
    """Alias `champion` moves from `over`, against which the version was judged, to the version.

    Where it has moved meanwhile, this is a refusal, recorded and raised as UserError: of two promotions at
    once one wins.
    """
    expected = str(over.version) if over else None
    with client() as opened, _alone():
        now = _champion(opened, version.name)
        if now != expected:
            said = f"champion is version {now} by now, this was judged against {expected or 'none'}"
            _record(opened, version, REFUSED, said)
            raise UserError(f"{version.name}/{version.version} is not promoted: {said}; evaluate again")
        if now == str(version.version):
            return
        opened.set_registered_model_alias(version.name, CHAMPION, version.version)
        _record(opened, version, PROMOTED, reason)


def refuse(version: ModelVersion, reason: str) -> None:
    """Record that the version was judged and not promoted."""
    with client() as opened, _alone():
        _record(opened, version, REFUSED, reason)


def rollback(name: str, reason: str) -> ModelVersion:
    """Alias `champion` goes back to the champion before this one, which is returned.

    Raises UserError where there is no champion, or none before it that still exists.
    """
    with reader() as opened, _alone():
        now = find_version(f"{name}@{CHAMPION}")
        former = [number for number in _line(history(name)) if number != str(now.version)]
        if not former:
            raise UserError(f"{name} had no champion before version {now.version}; promote one")
        opened.set_registered_model_alias(name, CHAMPION, former[-1])
        _record(opened, now, ROLLED_BACK, reason)
    return find_version(f"{name}/{former[-1]}")


def history(name: str) -> pd.DataFrame:
    """Every decision in the order of time: time (UTC), version, decision, reason."""
    with reader() as opened:
        versions = opened.search_model_versions(f"name = '{model_named(opened, name).name}'")
    rows = [
        (key.removeprefix(TAG), str(version.version), *value.split(": ", 1))
        for version in versions
        for key, value in version.tags.items()
        if key.startswith(TAG)
    ]
    return pd.DataFrame(sorted(rows), columns=["time", "version", "decision", "reason"])


def _line(decisions: pd.DataFrame) -> list[str]:
    """The champions that were not rolled back, in the order of their promotion."""
    line: list[str] = []
    for version, decision in zip(decisions["version"], decisions["decision"], strict=True):
        if decision == PROMOTED:
            line.append(version)
        elif decision == ROLLED_BACK and version in line:
            del line[len(line) - 1 - line[::-1].index(version) :]
    return line


def _champion(opened: MlflowClient, name: str) -> str | None:
    models = opened.search_registered_models(f"name = '{name}'")
    number = models[0].aliases.get(CHAMPION) if models else None
    return str(number) if number else None


def _record(opened: MlflowClient, version: ModelVersion, decision: str, reason: str) -> None:
    time = datetime.now(UTC).isoformat(timespec="microseconds").removesuffix("+00:00")
    said = f"{decision}: {' '.join(reason.split())}"[:LONGEST]
    opened.set_model_version_tag(version.name, str(version.version), TAG + time, said)


@contextmanager
def _alone() -> Iterator[None]:
    """One decision at a time among all processes that share the project's folder."""
    with FileLock(paths.state() / "promotion.lock"):
        yield
