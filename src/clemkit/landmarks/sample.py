"""Landmarks from label volumes: object centroids, surface points, skeleton points.

Objects are handled one at a time in their bounding boxes, so memory beyond the volume stays that of
the largest object. Every point has an uncertainty that follows from the voxel size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from clemkit.errors import ArgumentError, AxisError, TooFewLandmarksError
from clemkit.geometry import FloatArray, Grid
from clemkit.landmarks.landmark_set import LandmarkSet

__all__ = ["SampledLandmarks", "each_object", "object_centroids"]

LabelArray = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class SampledLandmarks:
    """Landmarks with the object that each came from.

    Attributes
    ----------
    points : LandmarkSet
        Positions and uncertainties.
    labels : (N,) int array
        Label of each point's object.
    kinds : tuple of str
        ``centroid``, ``surface``, ``end``, ``branch`` or ``path``.
    """

    points: LandmarkSet
    labels: np.ndarray[Any, np.dtype[np.int64]]
    kinds: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.points)


def each_object(labels: LabelArray, grid: Grid) -> Iterator[tuple[int, LabelArray, FloatArray]]:
    """Yield (label, boolean mask with a margin of one voxel, index of the mask's first voxel).

    Zero is background. Labels may be any whole numbers, floats included; nothing of the size of
    the largest label is allocated.

    Raises
    ------
    AxisError
        The array is not (z, y, x) as the grid says.
    ArgumentError
        Labels that are not whole numbers.
    TooFewLandmarksError
        There is no object.
    """
    from scipy.ndimage import find_objects

    if labels.shape != grid.shape_zyx:
        raise AxisError(
            f"labels: expected shape {grid.shape_zyx} (z, y, x) as the grid says; "
            f"found {labels.shape}"
        )
    if labels.dtype.kind not in "biuf":
        raise ArgumentError(f"labels: expected whole numbers; found type {labels.dtype}")
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.round(labels)):
        raise ArgumentError("labels: expected whole numbers; found fractions or NaN")
    present = np.unique(labels)
    present = present[present != 0]
    if len(present) == 0:
        raise TooFewLandmarksError("labels: expected at least one object; found only background 0")
    # consecutive numbers, since find_objects makes a list as long as the largest label
    if int(present[0]) == 1 and int(present[-1]) == len(present) and labels.dtype.kind in "iu":
        dense: LabelArray = labels
    else:
        table = np.searchsorted(present, labels) + 1
        dense = np.where(labels == 0, 0, table).astype(np.int32)
    for row, box in enumerate(find_objects(dense)):
        if box is None:  # cannot happen for labels that are present
            continue
        mask = np.pad(dense[box] == row + 1, 1)
        start = np.array([part.start for part in box], dtype=np.float64) - 1
        yield int(present[row]), mask, start


def object_centroids(labels: LabelArray, grid: Grid, *, min_voxels: int = 1) -> SampledLandmarks:
    """Return the centroid of every object.

    The uncertainty is that of a mean of boundary voxels, each rounded to the voxel grid: voxel size
    over ``sqrt(12)`` and over the root of the number of boundary voxels, at least 2 % of a voxel.

    Parameters
    ----------
    labels : (Z, Y, X) integer array
        Zero is background.
    grid : Grid
        Where the voxels are.
    min_voxels : int
        Smaller objects are left out.

    Raises
    ------
    TooFewLandmarksError
        No object, or none large enough.
    ArgumentError, AxisError
        As :func:`each_object`.
    """
    from scipy.ndimage import binary_erosion

    voxel = np.array(grid.voxel_size_zyx_nm)
    numbers, centres, sigmas = [], [], []
    for label, mask, start in each_object(labels, grid):
        inside = np.argwhere(mask)
        if len(inside) < min_voxels:
            continue
        boundary = len(inside) - int(binary_erosion(mask).sum())
        numbers.append(label)
        centres.append(start + inside.mean(axis=0))
        sigmas.append(np.maximum(1 / np.sqrt(12 * boundary), 0.02) * voxel)
    if not numbers:
        raise TooFewLandmarksError(
            f"labels: expected objects of at least {min_voxels} voxels; found none"
        )
    points = LandmarkSet(
        space=grid.space,
        ids=tuple(f"object-{label}" for label in numbers),
        points_zyx_nm=grid.to_physical(np.array(centres)),
        sigma_zyx_nm=np.array(sigmas),
    )
    return SampledLandmarks(points, np.array(numbers, dtype=np.int64), ("centroid",) * len(numbers))
