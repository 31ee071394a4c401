"""Values from one YAML file written into another, whose comments and order stay."""

from __future__ import annotations

import io
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import yaml

from roigan.config import parse_params, read_yaml
from roigan.errors import UserError


def apply(preset: Path, params: Path = Path("params.yaml")) -> list[str]:
    """Write a preset's values into params.yaml; returns what changed, as `key: old -> new`.

    Raises UserError, and leaves the file as it was, where the result would not be valid.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    keeping = YAML()  # comments and order
    keeping.width = 1000
    keeping.indent(mapping=2, sequence=4, offset=2)
    null = "tag:yaml.org,2002:null"
    keeping.representer.add_representer(type(None), lambda to, _: to.represent_scalar(null, "null"))
    for path in (preset, params):
        if not path.is_file():
            raise UserError(f"{path} does not exist")
    try:
        values, content = read_yaml(preset.read_text()), keeping.load(params.read_text())
    except (YAMLError, yaml.YAMLError) as error:
        raise UserError(f"{preset} or {params} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, Mapping):
        raise UserError(f"{preset} holds no blocks like those of {params}")
    changes = list(_merge(content, values))
    text = io.StringIO()
    keeping.dump(content, text)
    parse_params(read_yaml(text.getvalue()), str(preset))
    params.write_text(text.getvalue())
    return changes


def _merge(target: MutableMapping[str, Any], values: Mapping[str, Any], prefix: str = "") -> list[str]:
    changes = []
    for key, value in values.items():
        old = target.get(key)
        if isinstance(value, Mapping) and isinstance(old, MutableMapping):
            changes += _merge(old, value, f"{prefix}{key}.")
        elif old != value:
            target[key] = value
            changes.append(f"{prefix}{key}: {old} -> {value}")
    return changes
