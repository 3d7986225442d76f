"""ITK's transform parameters, translated to and from clemkit transforms.

Shared by the text, HDF5 and elastix modules, which differ only in how they store the numbers.
ITK points are x, y, z with the handedness of our reversed axes; no LPS flip is made, since
electron-microscopy data have no anatomical frame. Outside its domain a clemkit deformation
keeps its edge value, while ITK leaves points where they are: the two agree inside.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import ArgumentError, FormatError
from clemkit.geometry import FloatArray, Grid, Space, nanometres_per
from clemkit.transforms.affine import Affine
from clemkit.transforms.base import Identity, Transform
from clemkit.transforms.bspline import BSpline
from clemkit.transforms.displacement_field import DisplacementField
from clemkit.transforms.io.frame_note import FrameNote, chain_parts, join_parts
from clemkit.transforms.io.xyz import affine_from_xyz, affine_to_xyz

__all__ = ["ItkPart", "decode_chain", "decode_part", "encode_chain", "encode_part"]

_TYPE = re.compile(r"^(\w+?)_(double|float)_(\d+)_(\d+)$")
_IDENTITY_DIRECTION = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
# fixed parameters and parameters of each type; None: depends on the grid
_COUNTS: dict[str, tuple[tuple[int, ...], int | None]] = {
    "AffineTransform": ((3,), 12),
    "MatrixOffsetTransformBase": ((3,), 12),
    "TranslationTransform": ((0,), 3),
    "IdentityTransform": ((0,), 0),
    "Euler3DTransform": ((3, 4), 6),
    "VersorRigid3DTransform": ((3,), 6),
    "Similarity3DTransform": ((3,), 7),
    "BSplineTransform": ((18,), None),
    "DisplacementFieldTransform": ((18,), None),
}


@dataclass(frozen=True, slots=True, eq=False)
class ItkPart:
    """One ITK transform as its file says it.

    Attributes
    ----------
    type : str
        ITK's class name without the ``_double_3_3`` tail.
    fixed, parameters : (N,) float arrays
        Fixed parameters (centre, or size, origin, spacing, direction) and parameters, x first.
    """

    type: str
    fixed: FloatArray
    parameters: FloatArray


def split_type(text: str, path: str | Path) -> str:
    """Return the class name of ``AffineTransform_double_3_3``.

    Raises
    ------
    FormatError
        The transform is not three-dimensional, or the name has another form.
    """
    match = _TYPE.match(text.strip())
    if match is None:
        raise FormatError(
            path, f"expected a transform type such as AffineTransform_double_3_3; found {text!r}"
        )
    if (match[3], match[4]) != ("3", "3"):
        raise FormatError(
            path,
            f"expected a transform between 3D spaces; found {match[3]}D to {match[4]}D in {text!r}",
        )
    return match[1]


def encode_part(part: Transform, unit: str) -> ItkPart:
    """Express one clemkit transform in ITK's parameters, lengths in *unit*.

    Raises
    ------
    ArgumentError
        ITK has no such transform.
    """
    scale = nanometres_per(unit)
    if isinstance(part, Affine):
        rows = affine_to_xyz(part, unit)
        return ItkPart(
            "AffineTransform", np.zeros(3), np.concatenate([rows[:, :3].ravel(), rows[:, 3]])
        )
    if isinstance(part, Identity):
        # ITK's IdentityTransform is not read back by every program
        return encode_part(Affine.identity(part.source, part.target), unit)
    if isinstance(part, BSpline):
        # component is slowest, x fastest: exactly the C order of (component, z, y, x)
        values = part.coefficients_zyx_nm[..., ::-1].transpose(3, 0, 1, 2)
        return ItkPart("BSplineTransform", _grid_fixed(part.lattice, scale), values.ravel() / scale)
    if isinstance(part, DisplacementField):
        values = part.displacement_zyx_nm[..., ::-1].astype(np.float64)
        return ItkPart(
            "DisplacementFieldTransform", _grid_fixed(part.grid, scale), values.ravel() / scale
        )
    raise ArgumentError(
        f"ITK file: expected Affine, Identity, BSpline or DisplacementField; "
        f"found {type(part).__name__}; sample it onto a grid first "
        "(clemkit.transforms.displacement_field.sample)"
    )


def encode_chain(transform: Transform, unit: str) -> tuple[list[ItkPart], FrameNote]:
    """Express a chain in ITK's order, where the last transform of the queue is applied first."""
    parts = chain_parts(transform)
    note = FrameNote.of(parts, unit)
    return [encode_part(part, unit) for part in reversed(parts)], note


def decode_chain(
    items: Sequence[ItkPart],
    note: FrameNote,
    path: str | Path,
    *,
    source: Space | None,
    target: Space | None,
    unit: str | None,
) -> Transform:
    """Build the clemkit transform of ITK parts in file order (last is applied first)."""
    if not items:
        raise FormatError(path, "expected at least one transform; found none")
    unit = note.resolve_unit(unit, path)
    spaces = note.resolve_spaces(source, target, len(items), path)
    parts: list[Transform] = []
    for i, item in enumerate(reversed(items)):
        decoded = decode_part(item, unit, source=spaces[i], target=spaces[i + 1], path=path)
        parts.extend(chain_parts(decoded))
    return join_parts(parts)


def decode_part(
    item: ItkPart, unit: str, *, source: Space, target: Space, path: str | Path
) -> Transform:
    """Build one clemkit transform from ITK's parameters.

    A grid with a direction matrix becomes three parts: into the grid's frame, the deformation
    there, and back; the grids of clemkit are parallel to their axes.

    Raises
    ------
    FormatError
        The type is unknown or the number of parameters is wrong.
    """
    if item.type not in _COUNTS:
        raise FormatError(
            path, f"expected one of {', '.join(sorted(_COUNTS))}; found transform {item.type!r}"
        )
    fixed_counts, count = _COUNTS[item.type]
    if item.fixed.size not in fixed_counts and not (item.fixed.size == 0 and 3 in fixed_counts):
        raise FormatError(
            path,
            f"{item.type}: expected {' or '.join(map(str, fixed_counts))} fixed parameters; "
            f"found {item.fixed.size}",
        )
    if count is not None and item.parameters.size != count:
        raise FormatError(
            path, f"{item.type}: expected {count} parameters; found {item.parameters.size}"
        )
    if not (np.all(np.isfinite(item.parameters)) and np.all(np.isfinite(item.fixed))):
        raise FormatError(path, f"{item.type}: expected finite parameters; found NaN or infinity")
    if item.type in ("BSplineTransform", "DisplacementFieldTransform"):
        return _decode_grid(item, nanometres_per(unit), source, target, path)
    if item.type == "IdentityTransform":
        return Identity(source, target)
    linear, translation = _linear_part(item)
    centre = item.fixed[:3] if item.fixed.size else np.zeros(3)
    # a zero centre must not touch the numbers, so that reading back is bitwise
    offset = translation + centre - linear @ centre if np.any(centre) else translation
    return affine_from_xyz(
        np.column_stack([linear, offset]), unit, source=source, target=target, path=path
    )


def _linear_part(item: ItkPart) -> tuple[FloatArray, FloatArray]:
    p = item.parameters
    if item.type in ("AffineTransform", "MatrixOffsetTransformBase"):
        return p[:9].reshape(3, 3), p[9:]
    if item.type == "TranslationTransform":
        return np.eye(3), p
    if item.type == "Euler3DTransform":
        x, y, z = (_axis_rotation(axis, float(p[axis])) for axis in range(3))
        zyx_order = item.fixed.size == 4 and item.fixed[3] != 0
        return (z @ y @ x if zyx_order else z @ x @ y), p[3:]
    scale = float(p[6]) if item.type == "Similarity3DTransform" else 1.0
    return scale * _versor_rotation(p[:3]), p[3:6]


def _axis_rotation(axis: int, angle: float) -> FloatArray:
    """Return the rotation by *angle* (radians) about x (0), y (1) or z (2), x-y-z."""
    matrix = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[i, i] = matrix[j, j] = np.cos(angle)
    matrix[i, j], matrix[j, i] = -np.sin(angle), np.sin(angle)
    return matrix


def _versor_rotation(right: FloatArray) -> FloatArray:
    """Return the rotation of a unit quaternion given by its vector part, x-y-z."""
    w = np.sqrt(max(0.0, 1.0 - float(right @ right)))
    x, y, z = right
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + 2.0 * w * cross + 2.0 * cross @ cross


def _grid_fixed(grid: Grid, scale: float) -> FloatArray:
    size = [float(n) for n in reversed(grid.shape_zyx)]
    origin = [v / scale for v in reversed(grid.origin_zyx_nm)]
    spacing = [v / scale for v in reversed(grid.voxel_size_zyx_nm)]
    return np.array([*size, *origin, *spacing, *_IDENTITY_DIRECTION])


def _decode_grid(
    item: ItkPart, scale: float, source: Space, target: Space, path: str | Path
) -> Transform:
    direction = item.fixed[9:].reshape(3, 3)
    if np.array_equal(direction, np.eye(3)):
        return _aligned(item, scale, item.fixed[3:6], np.eye(3), source, target, path)
    if abs(np.linalg.det(direction)) < 1e-9:
        raise FormatError(
            path, f"{item.type}: expected an invertible direction; found {direction.tolist()}"
        )
    back = np.asarray(np.linalg.inv(direction), dtype=np.float64)
    grid_source, grid_target = Space(f"{source}@grid"), Space(f"{target}@grid")
    into = affine_from_xyz(_rows(back), "nm", source=source, target=grid_source, path=path)
    inside = _aligned(item, scale, back @ item.fixed[3:6], back, grid_source, grid_target, path)
    out = affine_from_xyz(_rows(direction), "nm", source=grid_target, target=target, path=path)
    return join_parts((into, inside, out))


def _rows(linear_xyz: FloatArray) -> FloatArray:
    return np.column_stack([linear_xyz, np.zeros(3)])


def _aligned(
    item: ItkPart,
    scale: float,
    origin_xyz: FloatArray,
    turn: FloatArray,
    source: Space,
    target: Space,
    path: str | Path,
) -> Transform:
    size = item.fixed[:3]
    if np.any(size != np.round(size)) or np.any(size < 1):
        raise FormatError(
            path, f"{item.type}: expected a grid size of whole numbers; found {size.tolist()}"
        )
    nx, ny, nz = (int(n) for n in size)
    if item.parameters.size != 3 * nx * ny * nz:
        raise FormatError(
            path,
            f"{item.type}: expected {3 * nx * ny * nz} parameters for a grid of "
            f"{nx} x {ny} x {nz}; found {item.parameters.size}",
        )
    spacing = item.fixed[6:9]
    try:
        grid = Grid(
            space=source,
            shape_zyx=(nz, ny, nx),
            voxel_size_zyx_nm=_triple(spacing[::-1] * scale),
            origin_zyx_nm=_triple(origin_xyz[::-1] * scale),
        )
        if item.type == "BSplineTransform":
            values = item.parameters.reshape(3, nz, ny, nx).transpose(1, 2, 3, 0)
            return BSpline(_turned(values, turn) * scale, grid, source, target)
        values = item.parameters.reshape(nz, ny, nx, 3)
        return DisplacementField(_turned(values, turn) * scale, grid, source, target)
    except ArgumentError as problem:
        raise FormatError(path, f"{item.type}: {problem}") from None


def _turned(values_xyz: FloatArray, turn: FloatArray) -> FloatArray:
    """Return displacement vectors turned by an x-y-z matrix, components as z, y, x."""
    turned = values_xyz if np.array_equal(turn, np.eye(3)) else values_xyz @ turn.T
    return turned[..., ::-1]


def _triple(values: ArrayLike) -> tuple[float, float, float]:
    a, b, c = (float(v) for v in np.asarray(values))
    return a, b, c
