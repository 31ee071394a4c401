"""Stage features: the prepared images -> the network behind the perceptual loss, FID and KID."""

from roigan.config import load_params
from roigan.errors import exit_on_user_error
from roigan.features.network import make_features
from roigan.files.paths import FEATURES, PREPARED


def main() -> None:
    params = load_params()
    network = make_features(PREPARED, params.features, FEATURES)
    print(f"features: {network.name}, sha256 {network.sha256[:16]}, written to {FEATURES}")


if __name__ == "__main__":
    exit_on_user_error(main)
