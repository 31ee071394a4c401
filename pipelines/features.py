"""Stage features: the prepared images -> the networks that the training looks through, and that judge it."""

from pathlib import Path

from roigan.config import load_params
from roigan.errors import exit_on_user_error
from roigan.features.network import make_networks
from roigan.files.paths import FEATURES, JUDGE


def main() -> None:
    network, judge = make_networks(Path(), load_params())
    for purpose, made, folder in (("features", network, FEATURES), ("judge", judge, JUDGE)):
        print(f"{purpose}: {made.name}, sha256 {made.sha256[:16]}, written to {folder}")


if __name__ == "__main__":
    exit_on_user_error(main)
