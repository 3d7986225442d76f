"""Fields in the order of the model, so that a written description reads well."""

from __future__ import annotations

from typing import Any

from clemkit.metadata.model_map import model_map
from clemkit.metadata.shorthand import concrete_class

__all__ = ["in_model_order"]


def in_model_order(data: dict[str, Any]) -> dict[str, Any]:
    """Return the description *data* with id, type and then the fields as the model lists them."""
    ordered: dict[str, Any] = _ordered(data, model_map()["root"])
    return ordered


def _ordered(value: Any, declared: str) -> Any:
    if isinstance(value, list):
        return [_ordered(item, declared) for item in value]
    if not isinstance(value, dict):
        return value
    name = concrete_class(declared, value) or declared
    classes, slots = model_map()["classes"], model_map()["slots"]
    first = [s for s in _FIRST if s in classes[name]["slots"]]
    keys = [k for k in dict.fromkeys([*first, *classes[name]["slots"], *value]) if k in value]
    return {
        k: _ordered(value[k], slots[k]["range"])
        if k in slots and slots[k]["kind"] == "class"
        else value[k]
        for k in keys
    }


_FIRST = ("id", "type", "name", "title")
