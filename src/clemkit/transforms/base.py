"""The transform contract: points go from a source space to a target space."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import ArgumentError
from clemkit.geometry import FloatArray, Space, as_points, require_same_space

__all__ = ["Chain", "Identity", "Transform", "compose", "numerical_jacobian"]


@runtime_checkable
class Transform(Protocol):
    """Maps points from ``source`` to ``target``.

    Warping an image onto the grid of the fixed image samples the moving image at
    ``fixed_to_moving.apply_points(...)``: images are pulled, points are pushed.
    """

    @property
    def source(self) -> Space:
        """Space of the points that go in."""
        ...

    @property
    def target(self) -> Space:
        """Space of the points that come out."""
        ...

    def apply_points(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Map points ``(N, 3)`` in nanometres, z-y-x."""
        ...

    def jacobian(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Return d(out)/d(in) at points ``(N, 3)``: ``(N, 3, 3)``, z-y-x rows and columns."""
        ...

    def inverse(self) -> Transform:
        """Return the exact inverse.

        Raises
        ------
        NotInvertibleError
            There is no exact inverse; use :func:`~clemkit.transforms.numerical_inverse`.
        """
        ...


def numerical_jacobian(
    transform: Transform, points_zyx_nm: ArrayLike, step_nm: float = 1.0
) -> FloatArray:
    """Return the Jacobian of a transform by central differences.

    Parameters
    ----------
    transform : Transform
        Any transform.
    points_zyx_nm : (N, 3) array-like
        Points in the source space.
    step_nm : float
        Half the difference step.

    Returns
    -------
    (N, 3, 3) array
        ``[n, i, j]`` is d(out_i)/d(in_j).
    """
    points = as_points(points_zyx_nm)
    columns = []
    for axis in range(3):
        offset = np.zeros(3)
        offset[axis] = step_nm
        forward = transform.apply_points(points + offset)
        columns.append((forward - transform.apply_points(points - offset)) / (2 * step_nm))
    return np.stack(columns, axis=2)


@dataclass(frozen=True, slots=True)
class Identity:
    """Leaves coordinates as they are; may rename the space."""

    source: Space
    target: Space

    def apply_points(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Return a copy of the points ``(N, 3)``."""
        return as_points(points_zyx_nm).copy()

    def jacobian(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Return unit matrices ``(N, 3, 3)``."""
        return np.broadcast_to(np.eye(3), (len(as_points(points_zyx_nm)), 3, 3)).copy()

    def inverse(self) -> Identity:
        """Return the identity in the other direction."""
        return Identity(self.target, self.source)


@dataclass(frozen=True, slots=True)
class Chain:
    """Several transforms, applied in order; made by :func:`compose`.

    Attributes
    ----------
    parts : tuple of Transform
        The first is applied first.
    """

    parts: tuple[Transform, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ArgumentError("Chain: expected at least one transform; found none")
        for first, then in pairwise(self.parts):
            require_same_space(first.target, then.source, "compose")

    def __iter__(self) -> Iterator[Transform]:
        return iter(self.parts)

    @property
    def source(self) -> Space:
        """Source of the first part."""
        return self.parts[0].source

    @property
    def target(self) -> Space:
        """Target of the last part."""
        return self.parts[-1].target

    def apply_points(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Map points ``(N, 3)`` through all parts in order."""
        points = as_points(points_zyx_nm)
        for part in self.parts:
            points = part.apply_points(points)
        return points

    def jacobian(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Return the product of the parts' Jacobians, ``(N, 3, 3)``."""
        points = as_points(points_zyx_nm)
        total = np.broadcast_to(np.eye(3), (len(points), 3, 3))
        for part in self.parts:
            total = part.jacobian(points) @ total
            points = part.apply_points(points)
        return np.array(total)

    def inverse(self) -> Chain:
        """Return the chain of exact inverses in reverse order.

        Raises
        ------
        NotInvertibleError
            One part has no exact inverse.
        """
        return Chain(tuple(part.inverse() for part in reversed(self.parts)))


def compose(first: Transform, *then: Transform) -> Transform:
    """Return one transform that applies *first*, then the others in order.

    Nested chains are flattened, neighbouring affines are multiplied together.

    Raises
    ------
    SpaceMismatchError
        A target is not the next source.
    """
    from clemkit.transforms.affine import Affine

    flat: list[Transform] = []
    for part in (first, *then):
        flat.extend(part.parts if isinstance(part, Chain) else (part,))
    for a, b in pairwise(flat):
        require_same_space(a.target, b.source, "compose")
    merged: list[Transform] = []
    for part in flat:
        last = merged[-1] if merged else None
        if isinstance(part, Affine) and isinstance(last, Affine):
            merged[-1] = Affine(part.matrix @ last.matrix, source=last.source, target=part.target)
        else:
            merged.append(part)
    return merged[0] if len(merged) == 1 else Chain(tuple(merged))
