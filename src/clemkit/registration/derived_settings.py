"""The settings as the engine will use them: given ones, and those derived from the data."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from clemkit.registration.features import FixedFeatures
from clemkit.registration.refine import work_factor
from clemkit.registration.scales import blur_nm, expected_scale, finest_spacing_nm
from clemkit.registration.search import search_voxel_nm
from clemkit.registration.settings import SETTING_UNITS, Settings
from clemkit.volumes import Volume

__all__ = ["derived_settings"]


def derived_settings(
    features: FixedFeatures,
    fixed: Volume,
    moving: Volume,
    moving_labels: Volume | None,
    settings: Settings,
) -> dict[str, dict[str, Any]]:
    """Return for each setting its ``value``, its ``unit``, and ``from`` where it comes.

    ``from`` is ``given`` where it differs from the default, ``data`` where it was derived, else
    ``default``.

    Parameters
    ----------
    features : FixedFeatures
    fixed, moving, moving_labels : Volume
    settings : Settings
        As given.
    """
    size = features.grid.voxel_size_zyx_nm
    factor = work_factor(features.grid, moving.grid, settings.work_voxel_nm)
    derived: dict[str, Any] = {
        "structure_radius_nm": features.radius_nm,
        "search_voxel_nm": search_voxel_nm(features, moving.grid, settings),
        "expected_scale": expected_scale(fixed, moving, settings),
        "any_orientation": "if the first search does not convince"
        if moving.modality != "lm" or moving_labels is not None
        else False,
        "psf_sigma_zyx_nm": [float(v) for v in blur_nm(moving, settings)],
        "control_spacing_nm": settings.control_spacing_nm or finest_spacing_nm(features),
        "work_voxel_nm": max(float(v) * f for v, f in zip(size, factor, strict=True)),
        "piece_size_nm": settings.piece_size_nm or 6.5 * features.radius_nm,
    }
    out = {}
    for item in fields(settings):
        value = getattr(settings, item.name)
        source = "given" if value != item.default else "default"
        if value is None:
            value, source = derived[item.name], "data"
        out[item.name] = {"value": value, "unit": SETTING_UNITS[item.name], "from": source}
    return out
