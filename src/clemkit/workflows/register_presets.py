"""``--preset``: published chains to reproduce, and settings for specimens of a scale."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clemkit.errors import ArgumentError
from clemkit.provenance import Progress
from clemkit.registration.result import RegistrationResult

if TYPE_CHECKING:
    from clemkit.registration.settings import Settings
    from clemkit.transforms import Transform
    from clemkit.workflows.register_inputs import Inputs

__all__ = ["PRESETS", "check_preset", "preset_settings", "run_published", "start_hint"]

_PUBLISHED = ("cosem", "clem-reg")
PRESETS = (*_PUBLISHED, "cell", "tissue", "organism")


def preset_settings(preset: str | None, settings: Settings | str | Path | None) -> Settings | None:
    """Return the settings of a scale preset, with those of a file over them.

    Raises
    ------
    ArgumentError
        The preset is unknown, or is a published chain and settings were given.
    NotFoundError, FormatError
        There is no such file, or it is not YAML.
    """
    from clemkit.registration.settings import Settings
    from clemkit.workflows.engine_choice import read_settings

    if preset is None:
        return read_settings(settings)
    if preset not in PRESETS:
        raise ArgumentError(f"preset: expected one of {', '.join(PRESETS)}; found {preset!r}")
    if preset in _PUBLISHED:
        if settings is not None:
            raise ArgumentError(
                f"preset {preset}: expected no settings, as it repeats what was published; found "
                "some; leave --settings out"
            )
        return None
    base = Settings.preset(preset)
    if isinstance(settings, Settings):
        raise ArgumentError(
            f"preset {preset}: expected a preset or settings; found both; use "
            f"Settings.preset({preset!r}, ...)"
        )
    return read_settings(settings, base)


def check_preset(
    preset: str | None, settings: Settings | None, inputs: Inputs, engine: str, guided: bool
) -> None:
    """Refuse a preset that does not suit the data.

    Parameters
    ----------
    preset : str or None
    settings : Settings or None
        From :func:`preset_settings`.
    inputs : Inputs
    engine : str
    guided : bool
        Whether landmarks or several structures were given.

    Raises
    ------
    ArgumentError, MissingExtraError
    """
    from clemkit.registration.scale_presets import check_scale

    if engine != "clemkit" and (guided or preset in _PUBLISHED):
        raise ArgumentError(
            f"engine {engine}: expected no published preset, landmarks or further structures with "
            "it; found some; leave --engine out"
        )
    fixed, moving = inputs.fixed, inputs.moving
    if preset is None:
        return
    if preset not in _PUBLISHED:
        check_scale(
            None if settings is None else settings.search_voxel_nm,
            fixed.volume.grid,
            moving.volume.grid,
        )
        return
    if guided:
        raise ArgumentError(
            f"preset {preset}: expected no landmarks and one structure, as published; found more"
        )
    if moving.channel is None and moving.labels is None:
        raise ArgumentError(
            f"preset {preset}: expected one moving channel; found "
            f"{moving.volume.channel_count}; pass --moving-channel"
        )
    if preset == "clem-reg" and fixed.labels is None:
        raise ArgumentError(
            "preset clem-reg: expected labels of the fixed volume, as it matches their surfaces; "
            "found none; pass --fixed-labels"
        )
    if preset == "cosem":
        from clemkit.registration.engines.refined_result import require_engine

        require_engine("elastix", fixed.volume, moving.volume, fixed.labels or fixed.volume)


def run_published(
    preset: str, inputs: Inputs, initial: Transform | None, *, seed: int, progress: Progress
) -> RegistrationResult | None:
    """Run a published chain; None where *preset* is none.

    Both start from a pose that the user gives (their authors turned and cut the volumes by hand),
    here ``--initial``, or from superposed field centres.
    """
    if preset not in _PUBLISHED:
        return None
    from dataclasses import replace

    from clemkit.registration.presets import register_clem_reg, register_cosem
    from clemkit.registration.presets.clem_reg import ClemRegSettings
    from clemkit.registration.presets.cosem import COSEM_SETTINGS
    from clemkit.transforms.io.affine_fit import best_affine

    fixed, moving = inputs.fixed, inputs.moving
    start = None
    if initial is not None:
        start = best_affine(initial, fixed.volume.grid).moving_to_fixed.inverse()
    if preset == "clem-reg":
        assert fixed.labels is not None
        found = register_clem_reg(
            fixed.volume,
            moving.volume,
            fixed_labels=fixed.labels,
            moving_labels=moving.labels,
            moving_channel=moving.channel or 0,
            start=start,
            settings=ClemRegSettings(seed=seed),
            progress=progress,
        )
    else:
        found = register_cosem(
            fixed.volume,
            moving.volume,
            fixed_labels=fixed.labels,
            moving_labels=moving.labels,
            fixed_channel=fixed.channel or 0,
            moving_channel=moving.channel or 0,
            start=start,
            settings=replace(COSEM_SETTINGS, seed=seed),
            progress=progress,
        )
    return replace(found, warnings=(*found.warnings, *start_hint(preset, initial)))


def start_hint(preset: str | None, initial: Transform | None) -> tuple[str, ...]:
    """Return a remark on a published chain that was given no start."""
    if preset not in _PUBLISHED or initial is not None:
        return ()
    return (
        f"preset {preset} started from superposed field centres without a turn; its authors "
        "turned and cut the volumes by hand first: pass such a start as --initial",
    )
