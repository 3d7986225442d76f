"""How figures read on a terminal: lengths with a fitting unit, mappings as two columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["length", "number", "percent", "table"]


def length(value_nm: float | None) -> str:
    """Return a length in nm or µm with three significant digits; ``–`` when there is none."""
    if value_nm is None or not math.isfinite(value_nm):
        return "–"
    value, unit = (value_nm, "nm") if abs(value_nm) < 1000 else (value_nm / 1000, "µm")
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f} {unit}"


def number(value: float | None) -> str:
    """Return a figure without a unit, two decimals; ``–`` when there is none."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.2f}"


def percent(fraction: float | None) -> str:
    """Return a fraction as a percentage; ``–`` when there is none."""
    if fraction is None or not math.isfinite(fraction):
        return "–"
    return f"{100 * fraction:.3g} %"


def table(content: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Yield *content* as two aligned columns; nested mappings are indented."""
    width = max((len(str(key)) for key in content), default=0)
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key}"
            yield from table(value, indent + "  ")
        else:
            yield f"{indent}{key!s:<{width}}  {_text(value)}"


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return ", ".join(_text(item) for item in value) or "–"
    return str(value)
