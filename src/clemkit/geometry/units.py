"""Length units: everything inside clemkit is in nanometres."""

from __future__ import annotations

from clemkit.errors import UnitError

__all__ = ["NANOMETRES_PER_UNIT", "from_nanometres", "nanometres_per", "to_nanometres"]

NANOMETRES_PER_UNIT: dict[str, float] = {
    "pm": 1e-3,
    "angstrom": 0.1,
    "nm": 1.0,
    "um": 1e3,
    "mm": 1e6,
    "cm": 1e7,
    "m": 1e9,
}

_ALIASES: dict[str, str] = {
    "picometer": "pm",
    "picometre": "pm",
    "å": "angstrom",
    "a": "angstrom",
    "ångström": "angstrom",
    "angstroem": "angstrom",
    "nanometer": "nm",
    "nanometre": "nm",
    "nanometers": "nm",
    "nanometres": "nm",
    "µm": "um",  # micro sign
    "μm": "um",  # Greek mu
    "micron": "um",
    "microns": "um",
    "micrometer": "um",
    "micrometre": "um",
    "micrometers": "um",
    "micrometres": "um",
    "\\u00b5m": "um",
    "millimeter": "mm",
    "millimetre": "mm",
    "millimeters": "mm",
    "millimetres": "mm",
    "centimeter": "cm",
    "centimetre": "cm",
    "meter": "m",
    "metre": "m",
    "angstroms": "angstrom",
}


def nanometres_per(unit: str) -> float:
    """Return how many nanometres one *unit* has.

    Parameters
    ----------
    unit : str
        A length unit as microscopy files spell it: ``nm``, ``um``, ``µm``, ``micron``, ``Å``, …

    Returns
    -------
    float

    Raises
    ------
    UnitError
        The unit is not a known length.

    Examples
    --------
    >>> nanometres_per("µm")
    1000.0
    """
    key = unit.strip()
    key = key if key in NANOMETRES_PER_UNIT else key.lower()
    key = _ALIASES.get(key, key)
    try:
        return NANOMETRES_PER_UNIT[key]
    except KeyError:
        known = ", ".join(NANOMETRES_PER_UNIT)
        raise UnitError(f"unknown length unit {unit!r}; expected one of {known}") from None


def to_nanometres(value: float, unit: str) -> float:
    """Convert a length in *unit* to nanometres."""
    return value * nanometres_per(unit)


def from_nanometres(value_nm: float, unit: str) -> float:
    """Convert a length in nanometres to *unit*."""
    return value_nm / nanometres_per(unit)
