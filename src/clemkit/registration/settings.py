"""Settings of the engine, each with a physical unit and a default derived from the data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from clemkit.errors import ArgumentError
from clemkit.geometry import Triple
from clemkit.registration.scale_presets import scale_values

__all__ = ["SETTING_UNITS", "Settings"]

# unit, smallest and largest value that can be meant; None is a switch
_RANGES: dict[str, tuple[str, float, float] | None] = {
    "structure_radius_nm": ("nm", 1.0, 1e7),
    "search_voxel_nm": ("nm", 1.0, 1e7),
    "expected_scale": ("", 0.2, 5.0),
    "max_tilt_deg": ("degrees", 0.0, 90.0),
    "any_orientation": None,
    "minimum_overlap": ("", 0.05, 1.0),
    "psf_sigma_zyx_nm": ("nm", 1.0, 1e6),
    "control_spacing_nm": ("nm", 10.0, 1e8),
    "work_voxel_nm": ("nm", 1.0, 1e7),
    "piece_size_nm": ("nm", 1.0, 1e8),
    "candidates": ("", 1, 50),
}
SETTING_UNITS: Mapping[str, str] = {k: "" if v is None else v[0] for k, v in _RANGES.items()}
"""Unit of each setting; empty for ratios, counts and switches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a user may change; ``None`` means derived from the data.

    Attributes
    ----------
    structure_radius_nm : float or None
        Typical radius of the structures; default from the labels.
    search_voxel_nm : float or None
        Voxel size of the pose search; default about three structure radii.
    expected_scale : float or None
        Size in the moving frame over size in the fixed frame; default 1.1 for light microscopy
        (EM specimens shrink), 1.0 otherwise.
    max_tilt_deg : float
        Tilt about in-plane axes that is searched before any orientation is tried.
    any_orientation : bool or None
        Whether to search all rotations; default only when the first search is not convincing.
    minimum_overlap : float
        Least share of the fixed field inside the moving field.
    psf_sigma_zyx_nm : tuple of float or None
        Blur of the moving image; default guessed from its voxel size, as microscopes are
        usually sampled.
    control_spacing_nm : float or None
        Finest control-point spacing; default from the density of structures.
    work_voxel_nm : float or None
        Voxel size of the final fit; default from the moving voxel size.
    piece_size_nm : float or None
        Length of the pieces that have their own brightness.
    candidates : int
        Poses carried to the deformable comparison.
    """

    structure_radius_nm: float | None = None
    search_voxel_nm: float | None = None
    expected_scale: float | None = None
    max_tilt_deg: float = 20.0
    any_orientation: bool | None = None
    minimum_overlap: float = 0.4
    psf_sigma_zyx_nm: Triple | None = None
    control_spacing_nm: float | None = None
    work_voxel_nm: float | None = None
    piece_size_nm: float | None = None
    candidates: int = 3

    def __post_init__(self) -> None:
        """Check types and ranges, so that a slip is found before hours of work.

        Raises
        ------
        ArgumentError
            A value is of another type, or outside what can be meant.
        """
        if isinstance(self.psf_sigma_zyx_nm, list):
            # YAML and JSON know no tuples
            as_tuple = tuple(self.psf_sigma_zyx_nm)  # type: ignore[unreachable]
            object.__setattr__(self, "psf_sigma_zyx_nm", as_tuple)
        for item in fields(self):
            value = getattr(self, item.name)
            if value is not None or item.default is not None:
                _check(item.name, value)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Settings:
        """Return the settings for a scale of specimens.

        Parameters
        ----------
        name : {"cell", "tissue", "organism"}
            See :mod:`clemkit.registration.scale_presets` for the numbers and their reasons.
        **changes
            Settings that replace those of the preset.

        Raises
        ------
        ArgumentError
            There is no such preset, or a change is not a setting.

        Examples
        --------
        >>> Settings.preset("tissue").search_voxel_nm
        4000.0
        """
        _require_known("preset", changes)
        return cls(**(scale_values(name) | changes))

    @classmethod
    def from_yaml(cls, path: str | Path, base: Settings | None = None) -> Settings:
        """Read settings from a small YAML file.

        Parameters
        ----------
        path : path
            One ``name: value`` a line.
        base : Settings, optional
            What the file does not name; the defaults where absent.

        Raises
        ------
        ArgumentError
            A key is not a setting, or a value is of another type or out of range.
        """
        data: dict[str, Any] = yaml.safe_load(Path(path).read_text("utf-8")) or {}
        _require_known(str(path), data)
        try:
            return replace(base or cls(), **data)
        except ArgumentError as error:
            raise ArgumentError(f"{path}: {error}") from None


def _require_known(where: str, data: Mapping[str, Any]) -> None:
    unknown = sorted(str(key) for key in data if key not in _RANGES)
    if unknown:
        raise ArgumentError(
            f"{where}: unknown setting {', '.join(unknown)}; expected: "
            + ", ".join(sorted(_RANGES))
        )


def _check(name: str, value: Any) -> None:
    bounds = _RANGES[name]
    remedy = "correct it, or leave the line out for the default"
    if bounds is None:
        if not isinstance(value, bool):
            raise ArgumentError(f"{name}: expected true or false; found {value!r}; {remedy}")
        return
    unit, low, high = bounds
    whole = name == "candidates"
    triple = name == "psf_sigma_zyx_nm"
    parts = list(value) if triple and isinstance(value, tuple) else [value]
    right = len(parts) == (3 if triple else 1) and all(
        isinstance(v, int if whole else int | float)
        and not isinstance(v, bool)
        and math.isfinite(v)
        and low <= v <= high
        for v in parts
    )
    if not right:
        kind = "three numbers z, y, x" if triple else "a whole number" if whole else "one number"
        of = f" in {unit}" if unit else ""
        raise ArgumentError(
            f"{name}: expected {kind} from {low:g} to {high:g}{of}; found {value!r}; {remedy}"
        )
