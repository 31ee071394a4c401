"""What several commands take, and how what is typed is read."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from roigan.errors import UserError
from roigan.inference.jobs import SEEDS

MODEL = "models:/NAME@ALIAS, models:/NAME/VERSION, or a model folder"
PICTURES = "a picture of any size and mode, or a folder of pictures"


class Parser(argparse.ArgumentParser):
    """Complains in one line, and takes "-1,0.5" for numbers, not for an option."""

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        """`--c -1,0.5` is read as `--c=-1,0.5`: a word that begins with a minus and a digit is no option."""
        words: list[str] = []
        for word in sys.argv[1:] if args is None else args:
            if words and re.fullmatch(r"--\w+", words[-1]) and re.match(r"-[\d.]", word):
                words[-1] += f"={word}"
            else:
                words.append(word)
        return super().parse_known_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def command(group: Any, name: str, run: Callable[[argparse.Namespace], None], help: str) -> Any:
    """The parser of one of a group's commands."""
    found: argparse.ArgumentParser = group.add_parser(name, help=help)
    found.set_defaults(command=run)
    return found


# --- kinds of values: ArgumentTypeError where a text is none ---


def read_numbers(kind: type) -> Callable[[str], list[float]]:
    def parse(text: str) -> list[float]:
        try:
            return [kind(part) for part in text.split(",")]
        except ValueError:
            what = "whole numbers" if kind is int else "numbers"
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of {what} like 3,0,1") from None

    return parse


def read_seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= SEEDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2^63 - 1")
    return int(text)


def read_count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def read_port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, a number from 0 to 65535")
    return int(text)


def read_context(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return value


def read_span(text: str) -> tuple[int, int]:
    numbers = re.fullmatch(r"(\d+)-(\d+)", text)
    first, last = (int(number) for number in numbers.groups()) if numbers else (0, 0)
    if not 1 <= first <= last:
        raise argparse.ArgumentTypeError(f"{text!r} is no span of frames like 10-20, from 1")
    return first, last


def read_weight(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no weight, a number of at least 0")
    return value


# --- files to be written: UserError where a name is no such file's, or the file is there ---


def new_picture(out: Path) -> Path:
    """UserError where it is no name of a PNG or TIFF file, or of one that is there."""
    if out.suffix.lower() not in (".png", ".tif", ".tiff"):
        raise UserError(f"{out}: only .png and .tif are written, which alter no pixel")
    return _new(out)


def new_png(out: Path) -> Path:
    """UserError where it is no name of a PNG file, or of one that is there."""
    if out.suffix.lower() != ".png":
        raise UserError(f"{out}: only .png is written")
    return _new(out)


def _new(out: Path) -> Path:
    if out.exists():
        raise UserError(f"{out} exists already; name another file")
    return out
