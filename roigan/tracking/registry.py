"""The registry: one version per set of weights, its aliases, and what was measured of it."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from roigan.config import Params
from roigan.errors import UserError
from roigan.files import paths
from roigan.files.tensors import sha256_of
from roigan.tracking.lineage import lineage
from roigan.tracking.model_card import model_card
from roigan.tracking.outbox import open_outbox
from roigan.tracking.package import pack
from roigan.tracking.places import here, local, repository
from roigan.tracking.runs import finish_run, log_artifacts, log_history, log_metrics, run_of
from roigan.tracking.services import service_of
from roigan.tracking.store import EMPTY, client, model_named, reader, store_uri

CANDIDATE, CHAMPION = "candidate", "champion"
CONFIG = "config.json"
REFERENCE = re.compile(r"(?:models:/)?([A-Za-z0-9_\-]+)(?:@([A-Za-z][\w\-]*)|/(\d+|[0-9a-f]{64}))")


def register(params: Params, folder: Path = paths.MODEL) -> ModelVersion:
    """The version that has the weights in `folder`, as `registered` has it; alias `candidate` moves there."""
    version = registered(params, folder)
    with client() as opened:
        opened.set_registered_model_alias(version.name, CANDIDATE, version.version)
    return version


def registered(params: Params, folder: Path = paths.MODEL) -> ModelVersion:
    """The version that has the weights in `folder`; made, as `candidate`, where there is none.

    Its run is the training's own, found by the fingerprint in config.json; where it is gone, it is made anew
    from the artefacts. What waits in the outbox is delivered first. Raises UserError where the folder holds
    no model.
    """
    config, sha256 = read_model(folder)
    open_outbox().deliver()
    with client() as opened:
        version = _with_weights(opened, params.register_.name, sha256)
        if version and not _is_there(opened, version):
            _pack(opened, params, folder, config, _place(opened, version), version.tags)
        if not version:
            version = _new_version(opened, params, folder, config, sha256)
            opened.set_registered_model_alias(version.name, CANDIDATE, version.version)
        return version


def read_model(folder: Path) -> tuple[dict[str, Any], str]:
    """(config, sha256 of the weights that the model serves) of a model folder."""
    file = Path(folder) / CONFIG
    weights = sorted(Path(folder).glob("*.safetensors"))
    if not weights or not file.is_file():
        raise UserError(f"{folder} holds no model (weights, {CONFIG}); run the stage `train` first")
    config, hashes = json.loads(file.read_text()), {sha256_of(path) for path in weights}
    if (sha256 := config.get("weights_sha256")) not in hashes:
        raise UserError(f"{folder}: its weights are not those that {CONFIG} was written for")
    return config, str(sha256)


def _new_version(
    opened: MlflowClient, params: Params, folder: Path, config: Mapping[str, Any], sha256: str
) -> ModelVersion:
    name, tags = params.register_.name, {**lineage(params), "sha256": sha256}
    run_id = run_of(params, config.get("fingerprint", sha256[:16]), tags)
    if paths.HISTORY.is_file():
        log_history(run_id, paths.HISTORY)
    place = (
        f"{opened.get_run(run_id).info.artifact_uri}/model-{sha256[:16]}"  # a repeated run may have others
    )
    card = _pack(opened, params, folder, config, place, tags)
    log_artifacts(run_id, [paths.HISTORY, paths.SAMPLES])
    finish_run(run_id)
    if not opened.search_registered_models(f"name = '{name}'"):
        opened.create_registered_model(name, description=service_of(config).what)
    return opened.create_model_version(name, place, run_id=run_id, tags=tags, description=card)


def _pack(
    opened: MlflowClient,
    params: Params,
    folder: Path,
    config: Mapping[str, Any],
    place: str,
    tags: Mapping[str, str],
) -> str:
    """Store a model folder, packed, at a place; returns its card."""
    card = model_card(params, config, tags)
    with tempfile.TemporaryDirectory() as temporary:
        packed = Path(temporary) / "model"
        pack(packed, folder, config, tags)
        (packed / "README.md").write_text(card)
        repository(opened, place).log_artifacts(str(packed))
    return card


def _is_there(opened: MlflowClient, version: ModelVersion) -> bool:
    """Whether the files of a version are where they should be, and its weights what they were."""
    place = _place(opened, version)
    if packed := local(here(place)):
        try:
            return read_model(_model_in(packed, version))[1] == version.tags["sha256"]
        except (UserError, OSError, ValueError):
            return False
    store = repository(opened, place)  # elsewhere: its list has to do
    try:
        names = {
            file.path
            for folder in store.list_artifacts("artifacts")
            for file in store.list_artifacts(folder.path)
        }
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    return any(name.endswith(f"/{CONFIG}") for name in names) and any(
        name.endswith(".safetensors") for name in names
    )


def _place(opened: MlflowClient, version: ModelVersion) -> str:
    return str(opened.get_model_version_download_uri(version.name, version.version))


def _with_weights(opened: MlflowClient, name: str, sha256: str) -> ModelVersion | None:
    found = opened.search_model_versions(f"name = '{name}' and tags.sha256 = '{sha256}'")
    ready = [version for version in found if version.status == "READY"]
    return max(ready, key=lambda version: int(version.version), default=None)


def find_version(reference: str) -> ModelVersion:
    """The version that models:/NAME/3 or models:/NAME@champion names; `models:/` may be left out, and the
    sha256 of the weights may stand for the number. Raises UserError, naming what there is instead."""
    match = REFERENCE.fullmatch(reference)
    if not match:
        raise UserError(f"{reference!r} names no version; write NAME/VERSION or NAME@ALIAS")
    name, alias, number = match.groups()
    with reader() as opened:
        aliases = {key: str(value) for key, value in model_named(opened, name).aliases.items()}
        if alias and alias not in aliases:
            raise UserError(f"{name} has no alias {alias!r}; it has: {', '.join(sorted(aliases)) or 'none'}")
        if number and len(number) == 64:
            found = _with_weights(opened, name, number)
        else:
            number = aliases[alias] if alias else number
            versions = {str(v.version): v for v in opened.search_model_versions(f"name = '{name}'")}
            found = versions.get(number)
        if not found:
            raise UserError(f"{name} has no version {number}; `roigan models` lists what there is")
        return found


def load_registered(name: str, which: str | int = CANDIDATE) -> Path:
    """The model folder (weights and config, for `Model.load`) of a registered version.

    which: an alias, a version number or the sha256 of the weights. Raises UserError where there is none.
    """
    which = str(which)
    by_number = which.isdigit() or len(which) == 64
    return download(find_version(f"{name}/{which}" if by_number else f"{name}@{which}"))


def download(version: ModelVersion) -> Path:
    """The model folder of a version; where artefacts lie on this machine, their own folder, uncopied."""
    with reader() as opened:
        place = here(_place(opened, version))
        packed = local(place) or Path(download_artifacts(artifact_uri=place, tracking_uri=store_uri()))
    return _model_in(packed, version)


def _model_in(packed: Path, version: ModelVersion) -> Path:
    for config in packed.glob(f"artifacts/*/{CONFIG}"):
        return config.parent
    raise UserError(
        f"{version.name}/{version.version} is registered, but its files are gone from {packed}; where its "
        "weights lie in models/roigan, `uv run dvc repro -f -s register` makes them anew"
    )


def log_evaluation(
    version: ModelVersion, table: pd.DataFrame, mine: str, files: Iterable[Path], features: str
) -> None:
    """Write an evaluation to the version's run, and what was measured of the version itself to its tags.

    table: columns method, mask, then numbers (`roigan.evaluate`); mine: the version's method; files:
    tables and figures for the run; features: name and hash of the network that FID and KID were computed
    with.
    """
    points = {
        (str(row["method"]), str(metric), str(row["mask"])): float(row[metric])
        for row in table.to_dict("records")
        for metric in table.select_dtypes("number")
        if pd.notna(row[metric])
    }
    assert version.run_id, "every version of ours has a run"
    log_metrics(version.run_id, 0, {f"evaluation/{'/'.join(key)}": value for key, value in points.items()})
    log_artifacts(version.run_id, files, "evaluation")
    with client() as opened:
        opened.set_model_version_tag(version.name, version.version, "features", features)
        for (method, metric, mask), value in points.items():
            if method == mine:
                tag = f"evaluation/{metric}/{mask}"
                opened.set_model_version_tag(version.name, version.version, tag, f"{value:.6g}")


def log_control(version: ModelVersion, table: pd.DataFrame, files: Iterable[Path]) -> None:
    """Write an examination of the controls (`roigan.control`) to the version's run: control/read/c0, ..."""
    points = {
        f"control/{metric}/{row['control']}": float(row[metric])
        for row in table.to_dict("records")
        for metric in table.select_dtypes("number")
        if pd.notna(row[metric])
    }
    assert version.run_id, "every version of ours has a run"
    log_metrics(version.run_id, 0, points)
    log_artifacts(version.run_id, files, "control")


def model_table() -> pd.DataFrame:
    """One row per version: name, version, aliases, sha256, created (UTC), the hashes of data and parameters,
    commit, features, then each metric's mean over the masks. Raises UserError where the registry is empty."""
    with reader() as opened:
        models = {model.name: model.aliases for model in opened.search_registered_models()}
        versions = [v for name in models for v in opened.search_model_versions(f"name = '{name}'")]
    if not versions:
        raise UserError(EMPTY)
    rows = [_row(version, models[version.name]) for version in versions]
    return pd.DataFrame(rows).sort_values(["name", "version"], ignore_index=True)


def _row(version: ModelVersion, aliases: Mapping[str, Any]) -> dict[str, Any]:
    means = measured(version).groupby(level="metric", sort=False).mean()
    return {
        "name": version.name,
        "version": int(version.version),
        "aliases": ",".join(sorted(alias for alias, v in aliases.items() if str(v) == str(version.version))),
        "sha256": version.tags.get("sha256", ""),
        "created": f"{pd.Timestamp(version.creation_timestamp, unit='ms'):%Y-%m-%d %H:%M}",
        "data": version.tags.get("data", ""),
        "params": version.tags.get("params", ""),
        "commit": version.tags.get("git.commit", ""),
        "features": version.tags.get("features", ""),
        **{str(metric): float(mean) for metric, mean in means.items() if metric != "n"},
    }


def measured(version: ModelVersion) -> pd.Series:
    """What `log_evaluation` noted of a version: float, indexed by (metric, mask)."""
    tags = {
        tuple(key.split("/")): value for key, value in version.tags.items() if key.startswith("evaluation/")
    }
    index = pd.MultiIndex.from_tuples([key[1:] for key in tags], names=["metric", "mask"])
    return pd.Series([float(value) for value in tags.values()], index, dtype=float)


def compare(first: str, second: str) -> pd.DataFrame:
    """Two versions (as for `find_version`) side by side, index (metric, mask), columns: the two, difference.

    The attribute `features` of the table holds both feature networks: where they differ, so do the scales of
    FID and KID.
    """
    versions = [find_version(first), find_version(second)]
    table = pd.concat([measured(version) for version in versions], axis=1, keys=[first, second], sort=True)
    table["difference"] = table.iloc[:, 1] - table.iloc[:, 0]
    table.attrs["features"] = [version.tags.get("features", "") for version in versions]
    return table
