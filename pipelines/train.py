"""Stage `train`: the game, on the group that params.yaml asks for; weights, history and samples remain."""

from pipelines.training import run
from roigan.config import load_params
from roigan.errors import exit_on_user_error
from roigan.files import paths


def main() -> None:
    run("train", load_params(), paths.MODEL, paths.REPORTS)


if __name__ == "__main__":
    exit_on_user_error(main)
