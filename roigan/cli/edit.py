"""`roigan edit`: regions and sliders in the browser."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roigan.cli.arguments import MODEL, command, read_port
from roigan.cli.load import load_model

if TYPE_CHECKING:
    from roigan.systems.model import Model


def add(commands: Any) -> None:
    """The command's grammar."""
    add = command(commands, "edit", run, "draw regions and move sliders in the browser").add_argument
    add("--model", required=True, nargs="+", help=f"{MODEL}; several: the page has all of them")
    add(
        "--host",
        default="127.0.0.1",
        help="another address is open to others, with a token (default 127.0.0.1)",
    )
    add("--port", type=read_port, default=8421, help="0: a free one (default 8421)")


def run(arguments: argparse.Namespace) -> None:
    """Serve the editor until Ctrl-C."""
    from roigan.apps.editor.serve import serve

    models: dict[str, Model] = {}
    for reference in arguments.model:
        name = _short_name(reference)
        alike = sum(other.split(" (")[0] == name for other in models)
        models[f"{name} ({alike + 1})" if alike else name] = load_model(reference)
    serve(models, arguments.host, arguments.port)


def _short_name(reference: str) -> str:
    """How the page calls a model: a folder by its last name, since no path of the machine is shown."""
    return reference if reference.startswith("models:/") else Path(reference).resolve().name
