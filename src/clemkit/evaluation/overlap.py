"""Overlap of masks and labels on one grid, and the distance between their surfaces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clemkit.errors import ArgumentError, DataError
from clemkit.evaluation.slabs import iter_slabs, require_same_shape
from clemkit.geometry import FloatArray, Triple, as_triple
from clemkit.volumes.volume import ArraySource

__all__ = [
    "OverlapScores",
    "SurfaceDistances",
    "label_overlap",
    "mask_overlap",
    "surface_distances",
]

_DEFAULT_SLAB = 1 << 24
_MAX_QUERIES = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapScores:
    """Voxel counts of two masks and what follows from them.

    Attributes
    ----------
    first, second : int
        Voxels in each mask.
    both : int
        Voxels in both.
    """

    first: int
    second: int
    both: int

    @property
    def dice(self) -> float:
        """2 |A ∩ B| / (|A| + |B|); NaN when both are empty."""
        total = self.first + self.second
        return 2 * self.both / total if total else float("nan")

    @property
    def jaccard(self) -> float:
        """|A ∩ B| / |A ∪ B|; NaN when both are empty."""
        union = self.first + self.second - self.both
        return self.both / union if union else float("nan")

    def to_dict(self) -> dict[str, float | int | None]:
        """Return JSON-ready figures."""
        empty = not (self.first or self.second)
        return {
            "dice": None if empty else self.dice,
            "jaccard": None if empty else self.jaccard,
            "fixed_voxels": self.first,
            "moving_voxels": self.second,
            "common_voxels": self.both,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceDistances:
    """Symmetric distances between two surfaces.

    Attributes
    ----------
    mean_nm : float
        Mean over both directions of the distance to the nearest voxel of the other surface.
    hd95_nm : float
        The larger of the two directed 95th percentiles.
    max_nm : float
        Hausdorff distance.
    sampled_fraction : float
        Share of the surface voxels from which distances were measured; 1.0 when all.
    """

    mean_nm: float
    hd95_nm: float
    max_nm: float
    sampled_fraction: float

    def to_dict(self) -> dict[str, float]:
        """Return JSON-ready figures."""
        return {
            "mean_nm": self.mean_nm,
            "hd95_nm": self.hd95_nm,
            "max_nm": self.max_nm,
            "sampled_fraction": self.sampled_fraction,
        }


def mask_overlap(
    first: ArraySource,
    second: ArraySource,
    *,
    above: float = 0.0,
    slab_voxels: int = _DEFAULT_SLAB,
) -> OverlapScores:
    """Compare the foregrounds of two volumes on one grid.

    Parameters
    ----------
    first, second : (z, y, x) array sources
        Masks or labels; read in blocks of whole sections.
    above : float
        Foreground is what exceeds this value; half the maximum suits smoothed masks.
    slab_voxels : int
        Upper bound of the voxels per block.
    """
    a = b = both = 0
    for left, right in iter_slabs(first, second, slab_voxels=slab_voxels):
        inside, other = left > above, right > above
        a += int(np.count_nonzero(inside))
        b += int(np.count_nonzero(other))
        both += int(np.count_nonzero(inside & other))
    return OverlapScores(first=a, second=b, both=both)


def label_overlap(
    first: ArraySource,
    second: ArraySource,
    *,
    labels: Iterable[int] | None = None,
    slab_voxels: int = _DEFAULT_SLAB,
) -> dict[int, OverlapScores]:
    """Compare each label value with the same value in the other volume.

    Parameters
    ----------
    first, second : (z, y, x) array sources
        Label volumes in which equal numbers mean the same structure; 0 is background.
    labels : iterable of int, optional
        Values to compare; by default every value above zero found in either volume.
    slab_voxels : int
        Upper bound of the voxels per block.

    Raises
    ------
    ArgumentError
        The volumes do not hold integers.
    """
    kinds = {np.dtype(v.dtype).kind for v in (first, second)}
    if not kinds <= {"i", "u", "b"}:
        raise ArgumentError("label overlap: expected integer labels; found floating-point voxels")
    counts: dict[int, list[int]] = {}
    for left, right in iter_slabs(first, second, slab_voxels=slab_voxels):
        for column, values in enumerate((left, right, left[left == right])):
            for value, count in zip(*np.unique(values, return_counts=True), strict=True):
                counts.setdefault(int(value), [0, 0, 0])[column] += int(count)
    wanted = sorted(v for v in counts if v > 0) if labels is None else [int(v) for v in labels]
    return {
        value: OverlapScores(**dict(zip(("first", "second", "both"), found, strict=True)))
        for value in wanted
        for found in [counts.get(value, [0, 0, 0])]
    }


def surface_distances(
    first: ArraySource,
    second: ArraySource,
    voxel_size_zyx_nm: Triple,
    *,
    above: float = 0.0,
    seed: int = 0,
    max_queries: int = _MAX_QUERIES,
    slab_voxels: int = _DEFAULT_SLAB,
) -> SurfaceDistances:
    """Measure the distance between the surfaces of two masks, in nanometres.

    A surface voxel is a foreground voxel with a background voxel among its six
    neighbours. The faces of the volume are no surface: both masks are cut there by the same grid.

    Parameters
    ----------
    first, second : (z, y, x) array sources
        Masks or labels on one grid.
    voxel_size_zyx_nm : tuple of float
        Voxel size.
    above : float
        Foreground is what exceeds this value.
    seed : int
        Seed of the choice when there are more than *max_queries* surface voxels on one side.
    max_queries : int
        Distances measured per side at most; the share is in the result.
    slab_voxels : int
        Upper bound of the voxels per block.

    Raises
    ------
    DataError
        A mask has no surface inside the volume.
    """
    from scipy.spatial import cKDTree

    require_same_shape(first, second)
    voxel = np.array(as_triple(voxel_size_zyx_nm, "voxel_size_zyx_nm"))
    sides = [_surface_points(array, voxel, above, slab_voxels) for array in (first, second)]
    for name, points in zip(("first", "second"), sides, strict=True):
        if not len(points):
            raise DataError(
                f"surface distance: expected a surface in the {name} mask; found none "
                "(the mask is empty or fills the volume)"
            )
    rng = np.random.default_rng(seed)
    directed = []
    for here, there in ((sides[0], sides[1]), (sides[1], sides[0])):
        if len(here) > max_queries:
            here = here[rng.choice(len(here), max_queries, replace=False)]
        directed.append(cKDTree(there).query(here)[0])
    measured = sum(map(len, directed))
    return SurfaceDistances(
        mean_nm=float(np.mean([d.mean() for d in directed])),
        hd95_nm=float(max(np.percentile(d, 95) for d in directed)),
        max_nm=float(max(d.max() for d in directed)),
        sampled_fraction=measured / sum(map(len, sides)),
    )


def _surface_points(
    array: ArraySource, voxel: FloatArray, above: float, slab_voxels: int
) -> FloatArray:
    depth, height, width = (int(n) for n in array.shape)
    step = max(1, slab_voxels // max(1, height * width))
    found = []
    for start in range(0, depth, step):
        low, high = max(0, start - 1), min(depth, start + step + 1)  # one section of halo
        inside = np.asarray(array[low:high]) > above
        edge = _touches_background(inside) & inside
        core = edge[start - low : start - low + min(step, depth - start)]
        index = np.argwhere(core).astype(np.float64)
        index[:, 0] += start
        found.append(index * voxel)
    return np.concatenate(found)


def _touches_background(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    touches = np.zeros_like(inside)
    for axis in range(3):
        ahead: list[Any] = [slice(None)] * 3
        behind: list[Any] = [slice(None)] * 3
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        touches[tuple(behind)] |= ~inside[tuple(ahead)]
        touches[tuple(ahead)] |= ~inside[tuple(behind)]
    return touches
