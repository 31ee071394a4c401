"""Stage `control`: what of the sliders and codes can be read back from completed images, and what each
moves."""

import pandas as pd

from roigan import paths, tracking
from roigan.config import load_params
from roigan.control import examine
from roigan.data import load_split
from roigan.errors import exit_on_user_error
from roigan.features import load_features
from roigan.model import Model


def main() -> None:
    params = load_params()
    version = tracking.registered(params, paths.MODEL)  # the registered model, by its weights
    model = Model.load(tracking.download(version))
    train, test = (load_split(paths.PREPARED, split) for split in ("train", "test"))
    features = load_features(paths.FEATURES)
    examined = examine(model, train, test, features, params.control, params.masks.known_share)
    examined.table.to_csv(paths.CONTROL, index=False, float_format="%.4g")
    names = [f"c{i}" for i in range(model.sliders)]
    matrix = pd.DataFrame(examined.independence, index=names, columns=names)
    matrix.to_csv(paths.INDEPENDENCE, float_format="%.4g", index_label="set")
    tracking.log_control(version, examined.table, [paths.CONTROL, paths.INDEPENDENCE])
    table = examined.table.to_string(index=False, float_format="%.3g")
    print(table if model.sliders else "control: this model has no controls")


if __name__ == "__main__":
    exit_on_user_error(main)
