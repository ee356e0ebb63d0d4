"""A chart's default values, as JSON values."""

import math
from typing import Any, Final

from chartrepo.core.errors import PackageRefused
from chartrepo.core.scalars import InvalidYamlError, Scalar
from chartrepo.core.yaml11 import Budget, Value, load

_MAX_NODES: Final = 1_000_000
_MAX_DEPTH: Final = 1_000


def load_values(data: bytes, budget: Budget | None = None) -> dict[str, Any]:
    """Return what a `values.yaml` says, as Helm reads it; nothing where it is empty.

    Args:
        data: the file.
        budget: how much may be in it; as much as Helm takes where not given.

    Raises:
        PackageRefused: Helm does not read it, or the budget is used up.
    """
    try:
        values = load(data, budget or Budget(nodes=_MAX_NODES, depth=_MAX_DEPTH))
    except InvalidYamlError as error:
        raise PackageRefused(f"values.yaml: {error}") from None
    return _as_json(values) if isinstance(values, dict) else {}


def _as_json(value: Value) -> Any:
    match value:
        case dict():
            return {key: _as_json(each) for key, each in value.items()}
        case list():
            return [_as_json(each) for each in value]
        case Scalar(value=float(number)) if not math.isfinite(number):
            return None  # JSON has no such number
        case Scalar():
            return value.value
    return value
