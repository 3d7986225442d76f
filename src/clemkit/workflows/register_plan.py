"""What ``clemkit register --dry-run`` prints: inputs, grids, settings as they will be used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clemkit.workflows.register_inputs import Inputs
from clemkit.workflows.registration_record import grid_record

if TYPE_CHECKING:
    from clemkit.registration.settings import Settings

__all__ = ["register_plan"]


def register_plan(
    target: Path,
    inputs: Inputs,
    named: Mapping[str, Any],
    preset: str | None,
    settings: Settings | None,
    seed: int,
) -> dict[str, Any]:
    """Return the plan of a registration; the labels are read, since settings come from them.

    Parameters
    ----------
    target : Path
    inputs : Inputs
    named : mapping
        Entry ``inputs`` of the record.
    preset : str or None
    settings : Settings or None
    seed : int
    """
    return {
        "output": str(target),
        "inputs": dict(named),
        "fixed_grid": grid_record(inputs.fixed.volume.grid),
        "moving_grid": grid_record(inputs.moving.volume.grid),
        "preset": preset,
        "settings": None if preset in ("cosem", "clem-reg") else _settings(inputs, settings),
        "warnings": [*inputs.notes, *inputs.hints],
        "seed": seed,
        "dry_run": True,
    }


def _settings(inputs: Inputs, settings: Settings | None) -> dict[str, dict[str, Any]]:
    from clemkit.registration.derived_settings import derived_settings
    from clemkit.registration.features import fixed_features
    from clemkit.registration.settings import Settings

    fixed, moving = inputs.fixed, inputs.moving
    chosen = settings or Settings()
    features = fixed_features(
        fixed.volume, fixed.labels, fixed.channel or 0, chosen.structure_radius_nm
    )
    return derived_settings(features, fixed.volume, moving.volume, moving.labels, chosen)
