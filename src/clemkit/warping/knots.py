"""What a transform tells about where it bends: its own lattices, seen from the output."""

from __future__ import annotations

import numpy as np

from clemkit.geometry import FloatArray, Grid
from clemkit.transforms import Affine, BSpline, Chain, DisplacementField, Identity, Transform

__all__ = ["COARSEST", "first_step", "knot_planes"]

COARSEST = 8
"""Step of the coarsest lattice, output voxels: 729 positions for 262,144 voxels."""


def knot_planes(
    pull_back: Transform, output_grid: Grid
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the planes between which a displacement field applied first is linear.

    Returns
    -------
    three arrays
        Positions in output voxels; empty where there is no such field, or where its knots are
        less than two output voxels apart.
    """
    nothing = np.zeros(0)
    first = _parts(pull_back)[0]
    if not isinstance(first, DisplacementField):
        return nothing, nothing, nothing
    field = _lattice(first)
    ratio = np.array(field.voxel_size_zyx_nm) / np.array(output_grid.voxel_size_zyx_nm)
    if np.any((ratio < 2) & (np.array(field.shape_zyx) > 1)):
        return nothing, nothing, nothing
    shift = output_grid.to_index([field.origin_zyx_nm])[0]
    z, y, x = (np.arange(n) * r + s for n, r, s in zip(field.shape_zyx, ratio, shift, strict=True))
    return z, y, x


def first_step(pull_back: Transform, output_grid: Grid) -> int:
    """Return the coarsest step, output voxels, that cannot pass over a knot unseen.

    0 where only single voxels can: the lattice is then evaluated at each.
    """
    step = COARSEST
    planes = knot_planes(pull_back, output_grid)
    # least distance in the output per distance in the part's own space
    scale = 1.0
    for number, part in enumerate(_parts(pull_back)):
        if isinstance(part, Affine):
            scale /= max(float(np.linalg.norm(part.linear, 2)), 1e-12)
        if not isinstance(part, BSpline | DisplacementField):
            continue
        if number == 0 and any(len(p) for p in planes):
            continue  # its knots are nodes
        lattice = _lattice(part)
        bends = np.array(lattice.shape_zyx) > 1
        distance = np.array(lattice.voxel_size_zyx_nm)[bends] * scale
        voxel = np.array(output_grid.voxel_size_zyx_nm)
        # after an affine the axes mix: compare with every voxel edge
        voxel = voxel[bends] if number == 0 else np.full(len(distance), voxel.max())
        while step and np.any(distance / voxel < step):
            step = step // 2 if step > 2 else 0
    return step


def _parts(transform: Transform) -> tuple[Transform, ...]:
    """Parts in order of application, renamings left out."""
    parts = transform.parts if isinstance(transform, Chain) else (transform,)
    kept = tuple(part for part in parts if not isinstance(part, Identity))
    return kept or parts


def _lattice(part: BSpline | DisplacementField) -> Grid:
    return part.lattice if isinstance(part, BSpline) else part.grid
