"""Stage `prepare`: a source of pictures becomes packed arrays in data/prepared."""

from __future__ import annotations

from roigan.config import load_params
from roigan.datasets.prepare import prepare
from roigan.errors import exit_on_user_error
from roigan.files.paths import PREPARED


def main() -> None:
    """Prepare the source named in params.yaml and say what came out."""
    params = load_params()
    statistics = prepare(params.data, PREPARED)
    counts = ", ".join(f"{count} {split}" for split, count in statistics["counts"].items())
    print(f"prepared {params.data.source}: {counts}, {statistics['rejected']} rejected")


if __name__ == "__main__":
    exit_on_user_error(main)
