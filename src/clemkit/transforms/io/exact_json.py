"""The exact record of transforms that no foreign format holds: splines, inverses, chains of both.

Axis order z, y, x; unit nanometre; points from source to target. Numbers read back to the same
bits. Not meant for other programs: they get a sampled version beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import ArgumentError, FormatError
from clemkit.geometry import Grid, Space
from clemkit.transforms.affine import Affine
from clemkit.transforms.base import Identity, Transform
from clemkit.transforms.bspline import BSpline
from clemkit.transforms.inverse import CertifiedInverse, numerical_inverse
from clemkit.transforms.io.frame_note import chain_parts, join_parts
from clemkit.transforms.io.json_file import read_json_object, write_json
from clemkit.transforms.thin_plate_spline import ThinPlateSpline

__all__ = ["can_write_exact_json", "grid_from_json", "grid_to_json", "read_exact_json",
           "write_exact_json"]  # fmt: skip

_KIND = "clemkit transform"


def can_write_exact_json(transform: Transform) -> bool:
    """Return whether every part of a chain is recorded by its own numbers.

    A certified inverse is not: it is recorded by the map that it inverts.
    """
    kinds = (Affine, Identity, BSpline, ThinPlateSpline)
    return all(isinstance(part, kinds) for part in chain_parts(transform))


def write_exact_json(path: str | Path, transform: Transform, *, overwrite: bool = False) -> None:
    """Write a chain of Affine, Identity, BSpline, ThinPlateSpline and certified inverses of such.

    Raises
    ------
    ArgumentError
        A part is of another kind, or the file exists.
    """
    parts = [_encoded(part) for part in chain_parts(transform)]
    write_json(path, {"kind": _KIND, "version": 1, "parts": parts}, overwrite=overwrite)


def read_exact_json(path: str | Path) -> Transform:
    """Read :func:`write_exact_json`.

    Raises
    ------
    FormatError
        The file is damaged or not such a record.
    """
    data = read_json_object(path)
    if data.get("kind") != _KIND or data.get("version") != 1 or not data.get("parts"):
        raise FormatError(path, f"expected kind {_KIND!r}, version 1, and parts")
    try:
        return join_parts([_decoded(part) for part in data["parts"]])
    except (KeyError, TypeError, ValueError) as problem:
        raise FormatError(path, f"damaged record: {problem!r}") from None


def grid_to_json(grid: Grid) -> dict[str, Any]:
    """Return a grid as plain data."""
    return {
        "space": grid.space.name,
        "shape_zyx": list(grid.shape_zyx),
        "voxel_size_zyx_nm": list(grid.voxel_size_zyx_nm),
        "origin_zyx_nm": list(grid.origin_zyx_nm),
    }


def grid_from_json(data: dict[str, Any]) -> Grid:
    """Rebuild a grid from :func:`grid_to_json`."""
    return Grid(
        space=Space(data["space"]),
        shape_zyx=tuple(data["shape_zyx"]),
        voxel_size_zyx_nm=tuple(data["voxel_size_zyx_nm"]),
        origin_zyx_nm=tuple(data["origin_zyx_nm"]),
    )


def _encoded(part: Transform) -> dict[str, Any]:
    ends = {"source": part.source.name, "target": part.target.name}
    if isinstance(part, Identity):
        return {"type": "identity", **ends}
    if isinstance(part, Affine):
        return {"type": "affine", **ends, "matrix_zyx_nm": part.matrix.tolist()}
    if isinstance(part, BSpline):
        return {
            "type": "b-spline",
            **ends,
            "lattice": grid_to_json(part.lattice),
            "coefficients_zyx_nm": part.coefficients_zyx_nm.tolist(),
        }
    if isinstance(part, ThinPlateSpline):
        return {
            "type": "thin-plate spline",
            **ends,
            "matrix_zyx_nm": part.affine.matrix.tolist(),
            "centres_zyx_nm": part.centres_zyx_nm.tolist(),
            "weights_zyx": part.weights_zyx.tolist(),
            "kernel": part.kernel,
            "planar": part.planar,
            "scale_nm": part.scale_nm,
            "stretch_zyx": list(part.stretch_zyx),
        }
    if isinstance(part, CertifiedInverse):
        return {
            "type": "certified inverse",
            **ends,
            "forward": [_encoded(each) for each in chain_parts(part.forward)],
            "domain": grid_to_json(part.domain),
            "tolerance_nm": part.tolerance_nm,
            "outside": part.outside,
        }
    raise ArgumentError(
        "exact record: expected Affine, Identity, BSpline, ThinPlateSpline or an inverse of such; "
        f"found {type(part).__name__}"
    )


def _decoded(data: dict[str, Any]) -> Transform:
    source, target = Space(data["source"]), Space(data["target"])
    if data["type"] == "identity":
        return Identity(source, target)
    if data["type"] == "b-spline":
        lattice = grid_from_json(data["lattice"])
        return BSpline(np.array(data["coefficients_zyx_nm"]), lattice, source, target)
    if data["type"] == "certified inverse":  # certified anew: its error is a measurement
        return numerical_inverse(
            join_parts([_decoded(each) for each in data["forward"]]),
            domain=grid_from_json(data["domain"]),
            tolerance_nm=data["tolerance_nm"],
            outside=data["outside"],
        )
    affine = Affine(np.array(data["matrix_zyx_nm"]), source=source, target=target)
    if data["type"] == "affine":
        return affine
    if data["type"] == "thin-plate spline":
        return ThinPlateSpline(
            affine,
            np.array(data["centres_zyx_nm"]),
            np.array(data["weights_zyx"]),
            kernel=data["kernel"],
            planar=data["planar"],
            scale_nm=data["scale_nm"],
            stretch_zyx=data.get("stretch_zyx", (1.0, 1.0, 1.0)),
        )
    raise ValueError(f"transform type {data['type']!r}")
