"""Quantities of protocols as intervals in base units, so that 60 min and 1 h are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clemkit.metadata.model_map import model_map

__all__ = ["Interval", "celsius", "hours", "interval", "kind_of_quantity", "molar", "percent"]

Interval = tuple[float, float]
_FRACTIONS = ("fraction", "mass_fraction", "volume_fraction", "mass_volume_fraction")


def _unit(quantity: Any) -> Mapping[str, Any] | None:
    if not isinstance(quantity, Mapping):
        return None
    return model_map()["enums"]["Unit"]["values"].get(str(quantity.get("unit")))


def kind_of_quantity(quantity: Any) -> str | None:
    """Return what the unit measures: ``time``, ``fraction``, …; None where that is not known."""
    unit = _unit(quantity)
    return str(unit["dimension"]) if unit else None


def interval(quantity: Any) -> Interval | None:
    """Return lowest and highest value in the base unit; None where there is no number.

    A tolerance widens the interval; an open end is infinite.
    """
    unit = _unit(quantity)
    if unit is None:
        return None
    value, low, high = (_number(quantity.get(k)) for k in ("value", "minimum", "maximum"))
    if value is not None:
        slack = _number(quantity.get("uncertainty")) or 0.0
        low, high = value - slack, value + slack
    elif low is None and high is None:
        return None
    factor, offset = float(unit["factor"]), float(unit.get("offset", 0.0))
    return (
        float("-inf") if low is None else low * factor + offset,
        float("inf") if high is None else high * factor + offset,
    )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _of_kind(quantity: Any, kinds: tuple[str, ...], scale: float, shift: float) -> Interval | None:
    found = interval(quantity) if kind_of_quantity(quantity) in kinds else None
    return (found[0] * scale + shift, found[1] * scale + shift) if found else None


def celsius(quantity: Any) -> Interval | None:
    """Return a temperature in degrees Celsius."""
    return _of_kind(quantity, ("temperature",), 1.0, -273.15)


def hours(quantity: Any) -> Interval | None:
    """Return a time in hours."""
    return _of_kind(quantity, ("time",), 1 / 3600.0, 0.0)


def percent(quantity: Any) -> Interval | None:
    """Return a concentration in per cent, by whatever it was measured."""
    return _of_kind(quantity, _FRACTIONS, 100.0, 0.0)


def molar(quantity: Any) -> Interval | None:
    """Return an amount concentration in mol per litre."""
    return _of_kind(quantity, ("amount_concentration",), 1.0, 0.0)
