"""Displacements sampled on a grid, interpolated linearly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import ArgumentError, NotInvertibleError
from clemkit.geometry import Box, FloatArray, Grid, Space, as_points, require_same_space
from clemkit.transforms.base import Transform

__all__ = ["DisplacementField", "sample"]


@dataclass(frozen=True, slots=True, eq=False)
class DisplacementField:
    """Maps ``x`` to ``x + u(x)``, with *u* interpolated linearly between voxel centres.

    Outside the outermost voxel centres *u* is that of the nearest point on them (ITK's
    ``DisplacementFieldTransform`` leaves points there where they are).

    Attributes
    ----------
    displacement_zyx_nm : (Z, Y, X, 3) float array
        Displacements (z, y, x components), nanometres; float32 stays float32. Not copied, since
        fields are large: a read-only view, so leave the array you passed alone.
    grid : Grid
        Where the displacements are; lies in *source*. An axis may have one voxel.
    source, target : Space
        Frames of the points that go in and come out.
    """

    displacement_zyx_nm: FloatArray
    grid: Grid
    source: Space
    target: Space

    def __post_init__(self) -> None:
        values = np.asarray(self.displacement_zyx_nm)
        if values.dtype not in (np.float32, np.float64):
            values = values.astype(np.float64)
        expected = (*self.grid.shape_zyx, 3)
        if values.shape != expected:
            raise ArgumentError(
                "DisplacementField.displacement_zyx_nm: "
                f"expected shape {expected}; found {values.shape}"
            )
        for plane, part in enumerate(values):
            if not np.all(np.isfinite(part)):
                raise ArgumentError(
                    "DisplacementField.displacement_zyx_nm: expected finite numbers; "
                    f"found NaN or infinity in plane z = {plane}"
                )
        require_same_space(self.source, self.grid.space, "DisplacementField.grid")
        view = np.ascontiguousarray(values).view()
        view.setflags(write=False)
        object.__setattr__(self, "displacement_zyx_nm", view)

    def contains(self, points_zyx_nm: ArrayLike, /) -> np.ndarray:
        """Return which points ``(N, 3)`` lie in the sampled volume, half voxels included."""
        return self.grid.contains(points_zyx_nm)

    def apply_points(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Map points ``(N, 3)``, nanometres."""
        from clemkit.transforms import kernels

        points = as_points(points_zyx_nm)
        index = self.grid.to_index(points)
        return points + kernels.trilinear_displacement(self.displacement_zyx_nm, index)

    def jacobian(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Return the exact derivative at points ``(N, 3)``: ``(N, 3, 3)``.

        It jumps at cell faces; there it is that of the upper cell.
        """
        from clemkit.transforms import kernels

        index = self.grid.to_index(points_zyx_nm)
        slope = kernels.trilinear_jacobian(self.displacement_zyx_nm, index)
        return np.eye(3) + slope / np.array(self.grid.voxel_size_zyx_nm)

    def inverse(self) -> DisplacementField:
        """Raise: a displacement field has no exact inverse.

        Raises
        ------
        NotInvertibleError
            Always.
        """
        raise NotInvertibleError(
            f"displacement field {self.source} to {self.target}: no exact inverse exists; "
            "use numerical_inverse, which carries its error"
        )


def sample(transform: Transform, grid: Grid, *, chunk_points: int = 1 << 18) -> DisplacementField:
    """Sample any transform as a displacement field.

    Parameters
    ----------
    transform : Transform
        The map; its displacement ``t(x) - x`` is evaluated at the voxel centres.
    grid : Grid
        Where to sample, in the source space of *transform*.
    chunk_points : int
        About how many points to evaluate at once; bounds the memory beside the result.

    Returns
    -------
    DisplacementField
        Exact at voxel centres, and between them where the transform is affine per cell.

    Raises
    ------
    SpaceMismatchError
        The grid is not in the source space.
    """
    require_same_space(transform.source, grid.space, "sample: grid")
    out = np.empty((*grid.shape_zyx, 3))
    nz, ny, nx = grid.shape_zyx
    rows = max(1, min(ny, chunk_points // nx))
    planes = max(1, chunk_points // (nx * ny))
    for z in range(0, nz, planes):
        for y in range(0, ny, rows):
            box = Box((z, y, 0), (min(z + planes, nz), min(y + rows, ny), nx))
            points = grid.crop(box).points()
            moved = transform.apply_points(points) - points
            out[box.slices] = moved.reshape(*box.shape, 3)
    return DisplacementField(out, grid, transform.source, transform.target)
