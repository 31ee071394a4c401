"""`roigan panel`: people say which pictures look natural."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from roigan.cli.arguments import command, read_count, read_seed
from roigan.errors import UserError


def add(commands: Any) -> None:
    """The command's grammar."""
    panel = command(commands, "panel", run, "ask people which pictures look natural")
    what = panel.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--images", nargs="+", type=read_folder, metavar="METHOD=FOLDER", help="pictures of every method"
    )
    what.add_argument("--answers", nargs="+", type=Path, metavar="FILE", help="what people have saved")
    add = panel.add_argument
    add("--out", type=Path, help="with --images: a .html file; its key is written beside it")
    add("--key", type=Path, help="with --answers: the key of the page, NAME.key.csv")
    add("--each", type=read_count, default=30, metavar="N", help="pictures of a method at most (default 30)")
    add("--seconds", type=read_count, default=5, metavar="N", help="a picture is shown (default 5)")
    add("--seed", type=read_seed, default=0, metavar="N", help="draws the pictures (default 0)")


def read_folder(text: str) -> tuple[str, Path]:
    """METHOD=FOLDER."""
    method, sign, folder = text.partition("=")
    if not (method and sign and folder):
        raise argparse.ArgumentTypeError(f"{text!r} is not METHOD=FOLDER, like chromagan=coloured")
    return method, Path(folder)


def run(arguments: argparse.Namespace) -> None:
    """Write a page, or print what came of one."""
    from roigan.apps.panel.panel import judged, write_panel

    if arguments.answers:
        if not arguments.key:
            raise UserError("--key is missing: the file NAME.key.csv that was written beside the page")
        table = judged(arguments.answers, arguments.key)
        print(table.to_string(index=False, float_format="{:.3f}".format))
        return
    if not arguments.out or arguments.out.suffix != ".html":
        raise UserError("--out is missing, or no .html file: the page that people will open")
    if arguments.out.exists():
        raise UserError(f"{arguments.out} exists already; name another file")
    folders = dict(arguments.images)
    if len(folders) < len(arguments.images):
        raise UserError("--images: two folders have the same method; name each differently")
    key = write_panel(folders, arguments.out, arguments.each, arguments.seconds, arguments.seed)
    print(f"{arguments.out}: hand it out; keep {key}, which says which method made which picture")
