"""Stage `control`: what of the sliders and codes can be read back from completed images, and what each
moves."""

import pandas as pd

from roigan.config import load_params
from roigan.errors import exit_on_user_error
from roigan.evaluation.control import examine
from roigan.features.network import load_features
from roigan.files import paths
from roigan.images.arrays import load_split
from roigan.systems.model import Model
from roigan.tracking import registry


def main() -> None:
    params = load_params()
    version = registry.registered(params, paths.MODEL)  # the registered model, by its weights
    model = Model.load(registry.download(version))
    train, test = (load_split(paths.PREPARED, split) for split in ("train", "test"))
    features = load_features(paths.JUDGE)
    examined = examine(model, train, test, features, params.control, params.masks.known_share)
    examined.table.to_csv(paths.CONTROL, index=False, float_format="%.4g")
    names = [f"c{i}" for i in range(model.sliders)]
    matrix = pd.DataFrame(examined.independence, index=names, columns=names)
    matrix.to_csv(paths.INDEPENDENCE, float_format="%.4g", index_label="set")
    registry.log_control(version, examined.table, [paths.CONTROL, paths.INDEPENDENCE])
    table = examined.table.to_string(index=False, float_format="%.3g")
    print(table if model.sliders else "control: this model has no controls")


if __name__ == "__main__":
    exit_on_user_error(main)
