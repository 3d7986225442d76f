"""A registration as a folder of transform files that other programs read.

``transforms.json`` lists the files with direction, axis order, unit and measured errors, and says
from which of them the registration is read back exactly.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import ArgumentError
from clemkit.geometry import Grid, require_same_space
from clemkit.transforms.affine import Affine
from clemkit.transforms.base import Identity, Transform
from clemkit.transforms.bspline import BSpline
from clemkit.transforms.displacement_field import DisplacementField
from clemkit.transforms.inverse import CertifiedInverse
from clemkit.transforms.io.affine_fit import AffineFit, best_affine, domain_samples
from clemkit.transforms.io.bdv_xml import write_bdv_xml
from clemkit.transforms.io.checked_points import map_checked, unwrapped
from clemkit.transforms.io.elastix import write_elastix
from clemkit.transforms.io.exact_json import (
    can_write_exact_json,
    grid_to_json,
    write_exact_json,
)
from clemkit.transforms.io.frame_note import chain_parts
from clemkit.transforms.io.itk_hdf5 import write_itk_hdf5
from clemkit.transforms.io.itk_text import write_itk_text
from clemkit.transforms.io.json_file import write_json
from clemkit.transforms.io.mobie import write_mobie
from clemkit.transforms.io.neuroglancer import NeuroglancerLayer, write_neuroglancer
from clemkit.transforms.io.ome_zarr_scene import write_ome_zarr_scene
from clemkit.transforms.io.registration_folder_reader import INDEX, TO_FIXED, TO_MOVING
from clemkit.transforms.io.sampled_field import sample_over_domain

__all__ = ["write_registration_transforms"]

_ITK_PARTS = (Affine, Identity, BSpline, DisplacementField)
_CONVENTIONS = (
    "Transforms map points in the direction stated for each file. Grid origins are the centre of "
    "voxel 0. Axis order xyz is our zyx reversed; no axis is flipped (no LPS or RAS). Outside "
    "their domain, deformations keep their edge value here, and are the identity in ITK."
)
_DEFAULT_TOLERANCE_NM = 0.01
_TARGET_ERROR_VOXELS = 0.1  # of a sampled direction, in voxels of the image it leads to
_MOST_TEXT_NUMBERS = 1_000_000  # about 20 MB


@dataclass(frozen=True, slots=True)
class _Folder:
    """Where to write, and the index that grows while writing."""

    path: Path
    overwrite: bool
    files: dict[str, dict[str, Any]]
    skipped: dict[str, str]

    def note(self, name: str, direction: str, axes: str, unit: str, **figures: Any) -> Path:
        self.files[name] = {"direction": direction, "axis_order": axes, "unit": unit, **figures}
        return self.path / name


def write_registration_transforms(
    folder: str | Path,
    *,
    fixed_to_moving: Transform,
    moving_to_fixed: Transform,
    fixed_grid: Grid,
    moving_grid: Grid,
    image_urls: tuple[str, str] | None = None,
    overwrite: bool = False,
) -> dict[str, Path]:
    """Write a registration in every format clemkit knows.

    Parameters
    ----------
    folder : path
        Made if it does not exist.
    fixed_to_moving, moving_to_fixed : Transform
        The two directions; one may be a certified inverse of the other.
    fixed_grid, moving_grid : Grid
        Samplings of the two images.
    image_urls : (str, str), optional
        Addresses of the fixed and the moving image for Neuroglancer.
    overwrite : bool
        Whether existing files may be replaced.

    Returns
    -------
    dict of str to path
        Every file by its name in the folder. ``transforms.json`` is written last: where it is,
        the folder is whole.

    Raises
    ------
    SpaceMismatchError
        Grids and transforms do not fit together.
    ArgumentError
        A file exists, or neither direction can be stored exactly.
    """
    forward, back = unwrapped(fixed_to_moving), unwrapped(moving_to_fixed)
    require_same_space(fixed_grid.space, forward.source, "fixed_grid")
    require_same_space(moving_grid.space, forward.target, "moving_grid")
    require_same_space(moving_grid.space, back.source, "moving_to_fixed")
    require_same_space(fixed_grid.space, back.target, "moving_to_fixed")
    exact = {TO_MOVING: _exact_suffix(forward), TO_FIXED: _exact_suffix(back)}
    if not any(exact.values()):
        raise ArgumentError(
            "registration: expected one direction made of Affine, BSpline, DisplacementField or "
            f"ThinPlateSpline; found {_kinds(forward)} and {_kinds(back)}"
        )
    out = _Folder(Path(folder), overwrite, {}, {})
    if (out.path / INDEX).exists() and not overwrite:
        raise ArgumentError(
            f"{out.path / INDEX}: exists already; pass overwrite=True to replace the registration"
        )
    out.path.mkdir(parents=True, exist_ok=True)
    if (out.path / INDEX).exists():
        _clear(out.path)
    back_domain = _reached(forward, fixed_grid, moving_grid)
    shared = _write_direction(out, "fixed_to_moving", forward, fixed_grid, moving_grid)
    shared_back = _write_direction(out, "moving_to_fixed", back, back_domain, fixed_grid)
    _write_elastix(out, forward, fixed_grid)
    fit = best_affine(forward, fixed_grid)
    _write_viewers(out, fit, fixed_grid, moving_grid, image_urls)
    errors = write_ome_zarr_scene(
        out.note("scene.ome.zarr", f"{TO_MOVING}, and its inverse", "zyx", "nanometer"),
        fixed_to_moving=shared,
        moving_to_fixed=shared_back,
        fixed_grid=fixed_grid,
        moving_grid=back_domain,
        overwrite=overwrite,
    )
    for key, name in (("forward", "fixed_to_moving.h5"), ("inverse", "moving_to_fixed.h5")):
        # the scene got what the .h5 holds, so the errors of both add up
        before = float(out.files[name].get("sampling_error_max_nm", 0.0))
        out.files["scene.ome.zarr"][f"{key}_max_error_nm"] = before + errors[f"{key}_max_error_nm"]
    names = list(out.files)
    index = {
        "clemkit": _version(),
        "version": 1,
        "conventions": _CONVENTIONS,
        "fixed": grid_to_json(fixed_grid),
        "moving": grid_to_json(moving_grid),
        "exact": {direction: suffix for direction, suffix in exact.items() if suffix},
        "inverse": _inverse_settings(forward, back, fixed_grid),
        "affine_fit": {
            "direction": TO_FIXED,
            "matrix_zyx_nm": fit.moving_to_fixed.matrix.tolist(),
            "residual_median_nm": fit.median_nm,
            "residual_max_nm": fit.max_nm,
            "samples": fit.samples,
        },
        "files": out.files,
        "skipped": out.skipped,
    }
    write_json(out.path / INDEX, index, overwrite=overwrite)
    return {name: out.path / name for name in [*names, INDEX]}


def _clear(folder: Path) -> None:
    """Remove what the last registration wrote and the next may not replace, the index first."""
    (folder / INDEX).unlink()  # an interrupted rewrite must not look whole
    for name in ("fixed_to_moving.tfm", "fixed_to_moving.json", "moving_to_fixed.json"):
        (folder / name).unlink(missing_ok=True)
    for path in (folder / "elastix").glob("TransformParameters.*.txt"):
        path.unlink()
    if (folder / "elastix").is_dir() and not any((folder / "elastix").iterdir()):
        (folder / "elastix").rmdir()


def _exact_suffix(transform: Transform) -> str:
    """Return the suffix of the file that holds a transform bit by bit, or nothing."""
    if all(isinstance(part, _ITK_PARTS) for part in chain_parts(transform)):
        return ".h5"
    return ".json" if can_write_exact_json(transform) else ""


def _write_direction(
    out: _Folder, name: str, transform: Transform, domain: Grid, target: Grid
) -> Transform:
    """Write one direction and return it as other programs get it, sampled where need be."""
    direction = TO_MOVING if name == "fixed_to_moving" else TO_FIXED
    target_nm = _TARGET_ERROR_VOXELS * min(target.voxel_size_zyx_nm)
    suffix = _exact_suffix(transform)
    if suffix == ".json":
        path = out.note(f"{name}.json", direction, "zyx", "nm", exact=True)
        write_exact_json(path, transform, overwrite=out.overwrite)
    figures: dict[str, Any] = {"exact": True}
    if suffix != ".h5":
        sampled = sample_over_domain(transform, domain, target_error_nm=target_nm)
        transform = sampled.transform
        figures = {
            "exact": False,
            "sampling_error_median_nm": sampled.median_error_nm,
            "sampling_error_max_nm": sampled.max_error_nm,
            "certified_fraction": sampled.covered_fraction,
            "sampled_over": grid_to_json(domain),
        }
    path = out.note(f"{name}.h5", direction, "xyz", "nm", **figures)
    write_itk_hdf5(path, transform, overwrite=out.overwrite)
    if direction == TO_MOVING and _numbers(transform) > _MOST_TEXT_NUMBERS:
        out.skipped[f"{name}.tfm"] = (
            f"{_numbers(transform)} numbers are too many for a text file; use {name}.h5"
        )
    elif direction == TO_MOVING:
        path = out.note(f"{name}.tfm", direction, "xyz", "nm", **figures)
        write_itk_text(path, transform, overwrite=out.overwrite)
    return transform


def _write_elastix(out: _Folder, forward: Transform, fixed_grid: Grid) -> None:
    """Write the elastix files where elastix has all parts; note why not, otherwise."""
    if not all(isinstance(part, Affine | Identity | BSpline) for part in chain_parts(forward)):
        out.skipped["elastix"] = (
            f"elastix has no form for {_kinds(forward)}; use fixed_to_moving.h5"
        )
        return
    target = out.path / "elastix"
    target.mkdir(exist_ok=True)
    paths = write_elastix(target, forward, fixed_grid=fixed_grid, overwrite=out.overwrite)
    for path in paths:
        out.note(f"elastix/{path.name}", TO_MOVING, "xyz", "nm", exact=True)


def _write_viewers(
    out: _Folder, fit: AffineFit, fixed: Grid, moving: Grid, urls: tuple[str, str] | None
) -> None:
    names = [re.sub(r"[;\\/, ]+", "_", grid.space.name) for grid in (fixed, moving)]
    figures = {"residual_median_nm": fit.median_nm, "residual_max_nm": fit.max_nm}
    write_mobie(
        out.note("mobie.json", TO_FIXED, "xyz", "micrometer", **figures),
        fit,
        fixed_sources=names[:1],
        moving_sources=names[1:],
        overwrite=out.overwrite,
    )
    write_bdv_xml(
        out.note("bdv.xml", TO_FIXED, "xyz", "micrometer", **figures),
        [(names[0], fixed, None), (names[1], moving, fit.moving_to_fixed)],
        overwrite=out.overwrite,
    )
    addresses: Sequence[str] = urls or [f"zarr://{name}.ome.zarr" for name in names]
    write_neuroglancer(
        out.note("neuroglancer.json", TO_FIXED, "zyx", "nm", **figures),
        [
            NeuroglancerLayer(name=names[0], url=addresses[0], grid=fixed),
            NeuroglancerLayer(
                name=names[1], url=addresses[1], grid=moving, to_scene=fit.moving_to_fixed
            ),
        ],
        title=fit.sentence(),
        overwrite=out.overwrite,
    )


def _reached(forward: Transform, fixed_grid: Grid, moving_grid: Grid) -> Grid:
    """Return the part of the moving volume that the fixed volume reaches, with a small margin.

    Elsewhere the inverse has no certificate, and samples spent there would be missing here.
    """
    mapped, ok = map_checked(forward, domain_samples(fixed_grid))
    if not np.any(ok):
        return moving_grid
    voxel = np.array(moving_grid.voxel_size_zyx_nm)
    low, high = moving_grid.corners()[[0, -1]]
    margin = 0.02 * np.ptp(mapped[ok], axis=0) + voxel
    low = np.maximum(low, mapped[ok].min(axis=0) - margin)
    high = np.minimum(high, mapped[ok].max(axis=0) + margin)
    if np.any(high - low < voxel):
        return moving_grid
    shape = np.ceil((high - low) / voxel - 1e-9).astype(int)
    origin = (low + high) / 2 - (shape - 1) / 2 * voxel
    return Grid(
        space=moving_grid.space,
        shape_zyx=(int(shape[0]), int(shape[1]), int(shape[2])),
        voxel_size_zyx_nm=moving_grid.voxel_size_zyx_nm,
        origin_zyx_nm=(float(origin[0]), float(origin[1]), float(origin[2])),
    )


def _inverse_settings(forward: Transform, back: Transform, fixed_grid: Grid) -> dict[str, Any]:
    """Return what the numerical inverse must be rebuilt with."""
    for part in (*chain_parts(back), *chain_parts(forward)):
        if isinstance(part, CertifiedInverse):
            return {
                "tolerance_nm": part.tolerance_nm,
                "outside": part.outside,
                "max_error_nm": part.max_error_nm,
                "domain": grid_to_json(part.domain),
            }
    return {
        "tolerance_nm": _DEFAULT_TOLERANCE_NM,
        "outside": "raise",
        "max_error_nm": None,
        "domain": grid_to_json(fixed_grid),
    }


def _numbers(transform: Transform) -> int:
    parts = chain_parts(transform)
    splines = sum(p.coefficients_zyx_nm.size for p in parts if isinstance(p, BSpline))
    return splines + sum(
        p.displacement_zyx_nm.size for p in parts if isinstance(p, DisplacementField)
    )


def _kinds(transform: Transform) -> str:
    return " then ".join(type(part).__name__ for part in chain_parts(transform))


def _version() -> str:
    try:
        return version("clemkit")
    except PackageNotFoundError:
        return "unknown"
