"""Stage features: the prepared images -> the networks that the training looks through, and that judge it."""

import shutil

from roigan.config import load_params
from roigan.errors import exit_on_user_error
from roigan.features.network import load_features, make_features
from roigan.files.paths import FEATURES, JUDGE, PREPARED


def main() -> None:
    params = load_params()
    network = make_features(PREPARED, params.features, FEATURES)
    if params.evaluate.judge:
        judge = make_features(PREPARED, params.evaluate.judge, JUDGE)
    else:
        shutil.copytree(FEATURES, JUDGE, dirs_exist_ok=True)
        judge = load_features(JUDGE)
    for purpose, made, folder in (("features", network, FEATURES), ("judge", judge, JUDGE)):
        print(f"{purpose}: {made.name}, sha256 {made.sha256[:16]}, written to {folder}")


if __name__ == "__main__":
    exit_on_user_error(main)
