"""Settings for specimens of a scale: cells, tissue, organisms.

Without a preset every length comes from the data. A preset is for data that mislead those rules
(labels of several sizes, few objects) and fixes the lengths that follow from the biology; the
reason stands beside each number, and in ``docs/rooms/registration.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from clemkit.errors import ArgumentError
from clemkit.geometry import Grid

__all__ = ["SCALE_PRESETS", "check_scale", "scale_values"]

SCALE_PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "cell": {
            "search_voxel_nm": 500.0,  # two to three radii of a mitochondrion (150 to 250 nm)
            "control_spacing_nm": 2500.0,  # organelles move with their surroundings, not alone
            "max_tilt_deg": 20.0,  # flat-embedded on a coverslip, trimmed by hand
            "any_orientation": False,  # sections stay parallel to the coverslip
            "minimum_overlap": 0.4,
        },
        "tissue": {
            "search_voxel_nm": 4000.0,  # about the radius of a nucleus (2.5 to 5 µm)
            "control_spacing_nm": 15000.0,  # one to two cells: those move as wholes
            "max_tilt_deg": 30.0,  # vibratome slices are remounted by hand
            "any_orientation": None,  # for X-ray and labels only, as without a preset
            "minimum_overlap": 0.4,
        },
        "organism": {
            "search_voxel_nm": 15000.0,  # three to four nuclei; organs are 50 µm and more
            "control_spacing_nm": 80000.0,  # organs bend and shift against each other
            "max_tilt_deg": 30.0,
            "any_orientation": True,  # a whole animal lies in its block as it fell
            "minimum_overlap": 0.3,  # fixation curls ends out of the field
        },
    }
)
_FEWEST, _MOST = 12, 256  # search voxels along the fixed field, and along the moving one


def scale_values(name: str) -> dict[str, Any]:
    """Return the settings of a preset.

    Raises
    ------
    ArgumentError
        There is no such preset.
    """
    if name not in SCALE_PRESETS:
        known = ", ".join(SCALE_PRESETS)
        raise ArgumentError(f"preset: expected one of {known}; found {name!r}")
    return dict(SCALE_PRESETS[name])


def check_scale(search_voxel_nm: float | None, fixed: Grid, moving: Grid) -> None:
    """Refuse a search voxel that is of another scale than the fields.

    Raises
    ------
    ArgumentError
        The fixed field has too few search voxels to be recognised, or the moving one too many to
        be searched.
    """
    if search_voxel_nm is None:
        return
    ends = [float(grid.extent_zyx_nm.max()) for grid in (fixed, moving)]
    low, high = ends[1] / _MOST, ends[0] / _FEWEST
    if low <= search_voxel_nm <= high:
        return
    if low > high:
        low, high = sorted((low, high))
    raise ArgumentError(
        f"search_voxel_nm: expected {low:.3g} to {high:.3g} nm for fields of {ends[0] / 1000:.3g} "
        f"µm (fixed) and {ends[1] / 1000:.3g} µm (moving); found {search_voxel_nm:g} nm; choose "
        "the preset of their scale, or leave it out: the default comes from the data"
    )
