"""`roigan models`: registered versions, listed, compared, promoted and exported."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from roigan.cli.arguments import MODEL, command
from roigan.cli.load import load_model
from roigan.errors import UserError
from roigan.files.atomic import writing


def add(commands: Any) -> None:
    """The command's grammar, and that of its actions."""
    models = command(commands, "models", run, "list, compare, promote and export registered models")
    actions = models.add_subparsers(metavar="ACTION")
    compare = command(actions, "compare", run_compare, "two versions side by side")
    compare.add_argument("a", help="NAME/VERSION or NAME@ALIAS")
    compare.add_argument("b", help="NAME/VERSION or NAME@ALIAS")
    promote = command(actions, "promote", run_promote, "make a version the champion")
    promote.add_argument("name")
    promote.add_argument("version", type=int)
    promote.add_argument("--reason", default="by hand", help="is kept with the decision")
    rollback = command(actions, "rollback", run_rollback, "make the champion before this one champion again")
    rollback.add_argument("name")
    rollback.add_argument("--reason", default="by hand", help="is kept with the decision")
    history = command(
        actions, "history", run_history, "all promotions, refusals, rollbacks, with their reasons"
    )
    history.add_argument("name")
    release = command(
        actions, "release", run_release, "write a model into a folder, weights in half the size"
    )
    release.add_argument("model", help=MODEL)
    release.add_argument("folder", type=Path)
    export = command(actions, "export", run_export, "write a model as one file that runs with torch alone")
    export.add_argument("model", help=MODEL)
    export.add_argument("file", type=Path, help="a .pt2 file")


def run(arguments: argparse.Namespace) -> None:
    """Print a table of all versions."""
    from roigan.tracking import registry

    table = registry.model_table()
    for column in ("sha256", "data", "params", "commit"):
        table[column] = table[column].str.replace(r"^(\w{8})\w*", r"\1", regex=True)  # leaves "-dirty"
    last = table.pop("features")
    print(table.assign(features=last).to_string(index=False, na_rep="-", float_format="{:.4g}".format))
    if "fid" in table:
        print(
            "metrics: means over the masks; fid and kid compare only under the same features", file=sys.stderr
        )


def run_compare(arguments: argparse.Namespace) -> None:
    """Print two versions side by side, metric by metric and mask by mask."""
    from roigan.tracking import registry

    table = registry.compare(arguments.a, arguments.b)
    if table.empty:
        raise UserError("neither version has been evaluated; `uv run dvc repro` evaluates the newest")
    print(table.to_string(na_rep="-", float_format="{:.4g}".format))
    first, second = table.attrs["features"]
    if first != second:
        note = f"note: fid and kid do not compare: features {first or 'unknown'} and {second or 'unknown'}"
        print(note, file=sys.stderr)


def run_promote(arguments: argparse.Namespace) -> None:
    """Move the alias `champion`."""
    from roigan.tracking import promotion, registry

    version = registry.find_version(f"{arguments.name}/{arguments.version}")
    promotion.promote(version, arguments.reason, promotion.champion(arguments.name))
    print(f"{arguments.name}/{arguments.version} is {registry.CHAMPION} now")


def run_rollback(arguments: argparse.Namespace) -> None:
    """Move the alias `champion` back."""
    from roigan.tracking import promotion, registry

    version = promotion.rollback(arguments.name, arguments.reason)
    print(f"{version.name}/{version.version} is {registry.CHAMPION} again")


def run_history(arguments: argparse.Namespace) -> None:
    """Print every decision about a model's versions."""
    from roigan.tracking import promotion

    lines = [
        f"{time[:19]}  {arguments.name}/{version}  {decision}: {reason}"
        for time, version, decision, reason in promotion.history(arguments.name).itertuples(index=False)
    ]
    print("\n".join(lines) or f"nothing has been decided about {arguments.name}")


def run_release(arguments: argparse.Namespace) -> None:
    """Write weights in bfloat16, and the configuration, into a folder that is not there yet."""
    if arguments.folder.exists():
        raise UserError(f"{arguments.folder} exists already; name a new folder")
    import torch

    from roigan.systems.model import WEIGHTS, Model, save_model

    model = load_model(arguments.model)
    with writing(arguments.folder) as unfinished:
        save_model(unfinished, model.nets, model.config, torch.bfloat16, model.prior)
    size = (arguments.folder / WEIGHTS).stat().st_size / 1e6
    print(f"{arguments.folder}: {size:.1f} MB, weights {Model.load(arguments.folder).sha256[:16]}")


def run_export(arguments: argparse.Namespace) -> None:
    """Write a .pt2 file that is not there yet."""
    if arguments.file.suffix != ".pt2":
        raise UserError(f"{arguments.file}: torch.export writes .pt2 files")
    if arguments.file.exists():
        raise UserError(f"{arguments.file} exists already; name a new file")
    from roigan.inference.export import export

    export(load_model(arguments.model), arguments.file)
    size = arguments.file.stat().st_size / 1e6
    print(f"{arguments.file}: {size:.1f} MB; gives the model's own pixels without this package")
