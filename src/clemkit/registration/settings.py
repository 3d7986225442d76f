"""Settings of the engine, each with a physical unit and a default derived from the data."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from clemkit.errors import ArgumentError
from clemkit.geometry import Triple

__all__ = ["Settings"]


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

    @classmethod
    def from_yaml(cls, path: str | Path) -> Settings:
        """Read settings from a small YAML file.

        Raises
        ------
        ArgumentError
            A key is not a setting.
        """
        data: dict[str, Any] = yaml.safe_load(Path(path).read_text()) or {}
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(data) - known)
        if unknown:
            raise ArgumentError(
                f"{path}: unknown setting {', '.join(unknown)}; expected: "
                + ", ".join(sorted(known))
            )
        if isinstance(data.get("psf_sigma_zyx_nm"), list):
            data["psf_sigma_zyx_nm"] = tuple(data["psf_sigma_zyx_nm"])
        return cls(**data)
