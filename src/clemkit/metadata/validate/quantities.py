"""Quantities in base units, by the factors of the model's units."""

from __future__ import annotations

from typing import Any

from clemkit.metadata.model_map import model_map

__all__ = ["base_value", "dimension"]


def dimension(quantity: Any) -> str | None:
    """Return what a quantity measures: ``length``, ``time``, …; None when its unit is not known."""
    unit = quantity.get("unit") if isinstance(quantity, dict) else None
    entry = model_map()["enums"]["Unit"]["values"].get(str(unit))
    return entry["dimension"] if entry else None


def base_value(quantity: Any) -> float | None:
    """Return a quantity in metres, seconds, volts, amperes, …; None when it has no value."""
    if not isinstance(quantity, dict) or not isinstance(quantity.get("value"), int | float):
        return None
    entry = model_map()["enums"]["Unit"]["values"].get(str(quantity.get("unit")))
    if entry is None:
        return None
    return float(quantity["value"]) * float(entry["factor"]) + float(entry.get("offset", 0.0))
