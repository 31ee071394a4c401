"""`roigan params`: the values of a preset, written into params.yaml."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from roigan.cli.arguments import command


def add(commands: Any) -> None:
    """The command's grammar."""
    add = command(commands, "params", run, "write the values of a preset into params.yaml").add_argument
    add("preset", type=Path, help="a YAML file with some of its keys, like presets/thesis.yaml")


def run(arguments: argparse.Namespace) -> None:
    """Write a preset into params.yaml and say what changed."""
    from roigan.config import presets

    changes = presets.apply(arguments.preset)
    print("\n".join(changes) or f"params.yaml agrees with {arguments.preset} already")
