"""The command `roigan`: which commands there are, and how one ends.

What is heavy (torch, MLflow) is imported by the command that needs it, so that `--help` answers at once.
"""

from __future__ import annotations

from roigan.cli import anonymise, complete, edit, generate, models, paint, panel, params, project, score
from roigan.cli.arguments import Parser
from roigan.errors import exit_on_user_error

COMMANDS = (complete, generate, score, project, paint, edit, anonymise, panel, params, models)
"""Each has `add`, its grammar, and `run`, what it does."""


def main() -> None:
    """Entry point: `roigan complete`, `roigan models [ACTION]`, ...; exit code 2 for bad input."""

    def run() -> None:
        arguments = parser().parse_args()
        arguments.command(arguments)

    exit_on_user_error(run)


def parser() -> Parser:
    """The command line's grammar."""
    top = Parser(prog="roigan", description="New content inside a region of an image.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return top
