"""Stage `prior`: the model that `train` builds on, by the same code; without one in params.yaml, nothing."""

import json
import shutil
from pathlib import Path

from roigan.config import load_params, prior_params
from roigan.errors import exit_on_user_error
from roigan.files import paths

CONFIG = paths.PRIOR / "config.json"


def main() -> None:
    if params := prior_params(load_params()):
        from pipelines.training import run  # torch and MLflow take seconds to import
        from roigan.launch.identity import run_name
        from roigan.systems.model import Model

        # the stage depends on all systems, the name on the prior's own: another paper's code changes nothing
        name = run_name(params, Path.cwd().resolve())
        if trained() == name:
            weights = Model.load(paths.PRIOR).sha256[:12]  # raises where the folder is damaged
            print(f"prior: {paths.PRIOR} is still that of run {name}, weights {weights}")
            return
        run("prior", params, paths.PRIOR, paths.PRIOR / "reports")
        return
    shutil.rmtree(paths.PRIOR, ignore_errors=True)
    paths.PRIOR.mkdir(parents=True)
    CONFIG.write_text("null\n")
    print("prior: params.yaml has none")


def trained() -> str | None:
    """The name of the run that has left the prior which is there."""
    content = json.loads(CONFIG.read_text()) if CONFIG.is_file() else None
    return content["fingerprint"] if content else None


if __name__ == "__main__":
    exit_on_user_error(main)
