"""Affine transforms as 4x4 matrices, z-y-x, column vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import ArgumentError, NotInvertibleError
from clemkit.geometry import FloatArray, Space, as_points

__all__ = ["Affine"]


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """An affine map of points.

    Attributes
    ----------
    matrix : (4, 4) float array
        Homogeneous matrix for column vectors ``(z, y, x, 1)``, nanometres; read-only.
    source, target : Space
        Frames of the points that go in and come out.

    Examples
    --------
    >>> lm, em = Space("lm"), Space("em")
    >>> shift = Affine.from_parts(np.eye(3), [10.0, 0.0, -5.0], source=lm, target=em)
    >>> shift.apply_points([[0.0, 0.0, 0.0]])
    array([[10.,  0., -5.]])
    """

    matrix: FloatArray
    source: Space
    target: Space

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        if matrix.shape != (4, 4):
            raise ArgumentError(f"Affine.matrix: expected shape (4, 4); found {matrix.shape}")
        if not np.all(np.isfinite(matrix)):
            raise ArgumentError("Affine.matrix: expected finite numbers; found NaN or infinity")
        if not np.allclose(matrix[3], [0, 0, 0, 1]):
            raise ArgumentError(f"Affine.matrix: expected last row 0 0 0 1; found {matrix[3]}")
        matrix.setflags(write=False)
        object.__setattr__(self, "matrix", matrix)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Affine):
            return NotImplemented
        same_spaces = (self.source, self.target) == (other.source, other.target)
        return same_spaces and bool(np.array_equal(self.matrix, other.matrix))

    def __hash__(self) -> int:
        return hash((self.source, self.target, self.matrix.tobytes()))

    @classmethod
    def from_parts(
        cls, linear: ArrayLike, translation_zyx_nm: ArrayLike, *, source: Space, target: Space
    ) -> Affine:
        """Build from a ``(3, 3)`` linear part and a ``(3,)`` translation in nanometres."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.asarray(linear, dtype=np.float64)
        matrix[:3, 3] = np.asarray(translation_zyx_nm, dtype=np.float64)
        return cls(matrix, source=source, target=target)

    @classmethod
    def identity(cls, source: Space, target: Space) -> Affine:
        """Return the unit matrix between two spaces."""
        return cls(np.eye(4), source=source, target=target)

    @property
    def linear(self) -> FloatArray:
        """The ``(3, 3)`` linear part."""
        return self.matrix[:3, :3]

    @property
    def translation_zyx_nm(self) -> FloatArray:
        """The ``(3,)`` translation, nanometres."""
        return self.matrix[:3, 3]

    @property
    def determinant(self) -> float:
        """Determinant of the linear part; negative for a mirror."""
        return float(np.linalg.det(self.linear))

    def apply_points(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Map points ``(N, 3)``, nanometres."""
        points = as_points(points_zyx_nm)
        # not a matrix product: BLAS rounds a block of one row differently from a larger one
        z, y, x = np.ascontiguousarray(points.T)
        out = np.empty_like(points)
        for axis, (a, b, c, shift) in enumerate(self.matrix[:3]):
            out[:, axis] = a * z + b * y + c * x + shift
        return out

    def jacobian(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Return the linear part for each point, ``(N, 3, 3)``."""
        return np.broadcast_to(self.linear, (len(as_points(points_zyx_nm)), 3, 3)).copy()

    def inverse(self) -> Affine:
        """Return the exact inverse.

        Raises
        ------
        NotInvertibleError
            The matrix is singular to working precision.
        """
        if np.linalg.cond(self.linear) > 1e12:
            raise NotInvertibleError(
                f"affine {self.source} to {self.target}: expected an invertible matrix; "
                f"found determinant {self.determinant:.3g}"
            )
        return Affine(
            np.asarray(np.linalg.inv(self.matrix), dtype=np.float64),
            source=self.target,
            target=self.source,
        )
