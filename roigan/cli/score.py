"""`roigan score`: how anomalous pictures are."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

from roigan.cli.arguments import MODEL, PICTURES, command
from roigan.cli.load import load_model
from roigan.errors import UserError
from roigan.files.atomic import writing


def add(commands: Any) -> None:
    """The command's grammar."""
    add = command(commands, "score", run, "say how anomalous pictures are").add_argument
    add("--model", required=True, help=MODEL)
    add("--image", required=True, type=Path, help=PICTURES)
    add("--out", required=True, type=Path, help="a .csv file: file, score, percentile, flag")


def run(arguments: argparse.Namespace) -> None:
    """Write a table of scores, higher = more anomalous; UserError at the end where some pictures cannot be
    read."""
    if arguments.out.suffix != ".csv":
        raise UserError(f"--out {arguments.out}: scores are written to a .csv file")
    from roigan.inference.jobs import Failures, pictures_in
    from roigan.inference.score import score_files

    files = pictures_in(arguments.image)
    model, failed = load_model(arguments.model), Failures(len(files), "scored")
    found = list(score_files(model, files, failed))
    with writing(arguments.out) as unfinished, unfinished.open("w", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["file", "score", "percentile", "flag"])
        for file, (score, percentile, flag) in found:
            writer.writerow([file.name, f"{score:.6g}", f"{percentile:.1f}", int(flag)])
    flagged = sum(score.flag for _, score in found)
    print(f"{arguments.out}: {flagged} of {len(found)} pictures lie above what 95 % of normal images reach")
    failed.complain()
