"""Stage `register`: the trained weights become a version in the registry, unless they are one already."""

import json
import re

from roigan.config import load_params
from roigan.errors import exit_on_user_error
from roigan.files import paths
from roigan.launch.storage import forget
from roigan.tracking import registry


def main() -> None:
    version = registry.register(load_params(), paths.MODEL)
    # no version number and no run id in here: the stages that depend on this file depend on the weights alone
    fingerprint = {"name": version.name, "sha256": version.tags["sha256"]}
    paths.REGISTERED.parent.mkdir(exist_ok=True)
    paths.REGISTERED.write_text(json.dumps(fingerprint, indent=1) + "\n")
    run = json.loads((paths.MODEL / "config.json").read_text()).get("fingerprint")
    if isinstance(run, str) and re.fullmatch(r"[\w-]+", run):
        forget(run)  # by now DVC and the registry have what it came to
    print(f"register: {version.name}/{version.version}, weights {version.tags['sha256'][:12]}")


if __name__ == "__main__":
    exit_on_user_error(main)
