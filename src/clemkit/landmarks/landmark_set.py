"""Landmarks: named points in one space, and pairs across two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clemkit.errors import ArgumentError
from clemkit.geometry import FloatArray, Space, as_points

__all__ = ["LandmarkPairs", "LandmarkSet"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LandmarkSet:
    """Points in one space.

    Attributes
    ----------
    space : Space
        Frame of the points.
    ids : tuple of str
        One unique name per point.
    points_zyx_nm : (N, 3) float array
        Positions.
    sigma_zyx_nm : (N, 3) float array or None
        Localisation uncertainty (one standard deviation per axis).
    """

    space: Space
    ids: tuple[str, ...]
    points_zyx_nm: FloatArray
    sigma_zyx_nm: FloatArray | None = None

    def __post_init__(self) -> None:
        points = as_points(self.points_zyx_nm, "LandmarkSet.points_zyx_nm")
        object.__setattr__(self, "points_zyx_nm", points)
        if len(self.ids) != len(points):
            raise ArgumentError(
                f"LandmarkSet.ids: expected {len(points)} names; found {len(self.ids)}"
            )
        if len(set(self.ids)) != len(self.ids):
            raise ArgumentError("LandmarkSet.ids: expected unique names; found repeats")
        if self.sigma_zyx_nm is not None:
            sigma = as_points(self.sigma_zyx_nm, "LandmarkSet.sigma_zyx_nm")
            if sigma.shape != points.shape:
                raise ArgumentError(
                    f"LandmarkSet.sigma_zyx_nm: expected {points.shape}; found {sigma.shape}"
                )
            object.__setattr__(self, "sigma_zyx_nm", sigma)

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, index: np.ndarray) -> LandmarkSet:
        """Return the landmarks chosen by a boolean or integer index."""
        chosen = np.arange(len(self))[index]
        return LandmarkSet(
            space=self.space,
            ids=tuple(self.ids[i] for i in chosen),
            points_zyx_nm=self.points_zyx_nm[chosen],
            sigma_zyx_nm=None if self.sigma_zyx_nm is None else self.sigma_zyx_nm[chosen],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LandmarkPairs:
    """Corresponding points: row *i* of ``moving`` is row *i* of ``fixed``.

    Attributes
    ----------
    moving, fixed : LandmarkSet
        Same ids in the same order.
    """

    moving: LandmarkSet
    fixed: LandmarkSet

    def __post_init__(self) -> None:
        if self.moving.ids != self.fixed.ids:
            raise ArgumentError("LandmarkPairs: expected the same ids in the same order")

    def __len__(self) -> int:
        return len(self.moving)

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the pairs."""
        return self.moving.ids

    def select(self, index: np.ndarray) -> LandmarkPairs:
        """Return the pairs chosen by a boolean or integer index."""
        return LandmarkPairs(moving=self.moving.select(index), fixed=self.fixed.select(index))
