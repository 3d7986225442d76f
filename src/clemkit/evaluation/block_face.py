"""The face of a resin block in an X-ray volume: a plane through points, or where the air ends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clemkit.errors import ArgumentError, DataError
from clemkit.geometry import FloatArray, Grid, as_points

__all__ = ["FACE_SIDES", "FittedPlane", "find_block_face", "fit_plane"]

FACE_SIDES = ("z-", "z+", "y-", "y+", "x-", "x+")
"""Sides of a volume: axis, and whether the air is at small (-) or large (+) coordinates."""

_TRIES = 500
_SOLID_RUN = 3  # voxels of resin that end the air; less is debris or noise
_BAND = 3.0  # robust standard deviations that belong to the plane
_LEAST_SHARE = 0.3  # of the columns


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedPlane:
    """A plane with its uncertainty.

    Attributes
    ----------
    point_zyx_nm : (3,) float array
        Centre of the points of the fit.
    normal_zyx : (3,) float array
        Unit normal; out of the block for a block face.
    points_zyx_nm : (N, 3) float array
        Points of the fit.
    sigma_nm : float
        Standard deviation of one point across the plane.
    offset_sigma_nm : float
        Standard deviation of the plane at its centre, along the normal.
    slope_covariance : (3, 3) float array
        Covariance of the normal; zero along the normal itself.
    used_fraction : float
        Share of the points offered (columns with air and resin) that lie on the plane.
    """

    point_zyx_nm: FloatArray
    normal_zyx: FloatArray
    points_zyx_nm: FloatArray
    sigma_nm: float
    offset_sigma_nm: float
    slope_covariance: FloatArray
    used_fraction: float = 1.0

    def distance_nm(self, points_zyx_nm: ArrayLike) -> FloatArray:
        """Return signed distances ``(N,)``, positive on the side of the normal."""
        return (as_points(points_zyx_nm) - self.point_zyx_nm) @ self.normal_zyx

    def sigma_at_nm(self, points_zyx_nm: ArrayLike) -> FloatArray:
        """Return the standard deviation of the plane's height at points ``(N, 3)``, nm."""
        away = as_points(points_zyx_nm) - self.point_zyx_nm
        tilted = np.einsum("ni,ij,nj->n", away, self.slope_covariance, away)
        return np.sqrt(self.offset_sigma_nm**2 + tilted)


def fit_plane(
    points_zyx_nm: ArrayLike, *, towards_zyx: ArrayLike, sigma_nm: float | None = None
) -> FittedPlane:
    """Fit a plane by total least squares.

    Parameters
    ----------
    points_zyx_nm : (N, 3) array-like
        At least three points that are not on a line.
    towards_zyx : (3,) array-like
        Direction that the normal shall roughly have.
    sigma_nm : float, optional
        Standard deviation of a point; from the residuals where absent, which takes four points.

    Raises
    ------
    ArgumentError
        Too few points, or all on a line.
    """
    points = as_points(points_zyx_nm)
    if len(points) < 3 or (len(points) == 3 and sigma_nm is None):
        raise ArgumentError(
            "plane: expected three points and their uncertainty, or at least four points; found "
            f"{len(points)}"
        )
    centre = points.mean(axis=0)
    _, spread, axes = np.linalg.svd(points - centre, full_matrices=False)
    if not spread[1] > 1e-6 * max(spread[0], 1e-12) or not np.all(np.isfinite(spread)):
        raise ArgumentError(
            "plane: expected points that span a plane; found points on a line or in one place; "
            "pick them far apart"
        )
    normal = np.cross(axes[0], axes[1])
    normal /= np.linalg.norm(normal)
    if normal @ np.asarray(towards_zyx, dtype=np.float64) < 0:
        normal = -normal
    residual = (points - centre) @ normal
    if sigma_nm is None:
        sigma_nm = math.sqrt(float(np.sum(residual**2)) / (len(points) - 3))
    slopes = sum(sigma_nm**2 / spread[k] ** 2 * np.outer(axes[k], axes[k]) for k in range(2))
    return FittedPlane(
        point_zyx_nm=centre,
        normal_zyx=normal,
        points_zyx_nm=points,
        sigma_nm=float(sigma_nm),
        offset_sigma_nm=float(sigma_nm) / math.sqrt(len(points)),
        slope_covariance=np.asarray(slopes),
    )


def find_block_face(
    volume: NDArray[Any],
    grid: Grid,
    *,
    side: str,
    threshold: float | None = None,
    air_is_dark: bool = True,
    seed: int = 0,
) -> FittedPlane:
    """Find the plane where resin begins, seen from one side of the volume.

    Each column of voxels is followed from outside until resin stays for three voxels; the height
    is where the values cross the threshold between air and resin. The plane with most columns near
    it is found by random sampling (Fischler and Bolles, *Commun. ACM* 24, 1981) and fitted to
    those within three robust standard deviations, so that debris on the face, flanks and noise
    count nothing.

    Parameters
    ----------
    volume : (Z, Y, X) array
        Grey values.
    grid : Grid
    side : {"z-", "z+", "y-", "y+", "x-", "x+"}
        Where the air is.
    threshold : float, optional
        Between air and resin; Otsu's (*IEEE Trans. Syst. Man Cybern.* 9, 1979) where absent.
    air_is_dark : bool
        Absorption is bright, as usual.
    seed : int
        Of the sampling.

    Returns
    -------
    FittedPlane
        Its normal points into the air. Its uncertainty counts neighbouring columns as one: as many
        independent points as there are 4 x 4 groups of columns.

    Raises
    ------
    ArgumentError
        The side is not one of the six, or the shape is not the grid's.
    DataError
        There is no air on that side, or no plane that a good part of the columns shares.
    """
    if side not in FACE_SIDES:
        raise ArgumentError(f"side: expected one of {', '.join(FACE_SIDES)}; found {side!r}")
    if volume.shape != grid.shape_zyx:
        raise ArgumentError(f"volume: expected shape {grid.shape_zyx}; found {volume.shape}")
    heights, columns = _surface(volume, side, threshold, air_is_dark)
    if len(heights) < 16:
        raise DataError(
            f"block face: expected air and then resin from side {side}; found {len(heights)} "
            f"columns of {columns} with both; choose another side, a threshold, or pick points"
        )
    points = grid.to_physical(heights)
    outward = np.zeros(3)
    axis = "zyx".index(side[0])
    outward[axis] = -1.0 if side[1] == "-" else 1.0
    band = 2.0 * grid.voxel_size_zyx_nm[axis]
    near = _consensus(points, band, np.random.default_rng(seed))
    for _ in range(5):
        plane = fit_plane(points[near], towards_zyx=outward, sigma_nm=1.0)
        residual = plane.distance_nm(points)
        width = 1.4826 * float(np.median(np.abs(residual[near] - np.median(residual[near]))))
        width = max(width, 0.05 * grid.voxel_size_zyx_nm[axis])
        near = np.abs(residual) <= min(_BAND * width, band)
        if near.sum() < 16:
            break
    share = float(near.sum()) / len(points)
    if share < _LEAST_SHARE or near.sum() < 16:
        raise DataError(
            f"block face: expected a plane that at least {_LEAST_SHARE:.0%} of the columns share; "
            f"found {share:.0%}; the face is rough or not towards {side}; pick points on it"
        )
    plane = fit_plane(points[_largest_piece(heights, near, axis)], towards_zyx=outward)
    wider = 16.0  # smooth noise makes neighbouring columns alike
    return FittedPlane(
        point_zyx_nm=plane.point_zyx_nm,
        normal_zyx=plane.normal_zyx,
        points_zyx_nm=plane.points_zyx_nm,
        sigma_nm=plane.sigma_nm,
        offset_sigma_nm=plane.offset_sigma_nm * math.sqrt(wider),
        slope_covariance=plane.slope_covariance * wider,
        used_fraction=share,
    )


def _surface(
    volume: NDArray[Any], side: str, threshold: float | None, air_is_dark: bool
) -> tuple[FloatArray, int]:
    """Return index coordinates ``(N, 3)`` of where resin begins, and the number of columns."""
    from scipy.ndimage import gaussian_filter

    axis = "zyx".index(side[0])
    values = gaussian_filter(np.asarray(volume, dtype=np.float32), 1.0)
    level = _otsu(values) if threshold is None else float(threshold)
    values = values - level if air_is_dark else level - values
    values = np.moveaxis(values, axis, 0)
    if side[1] == "+":
        values = values[::-1]
    length = values.shape[0]
    columns = int(np.prod(values.shape[1:]))
    if length <= _SOLID_RUN:
        return np.zeros((0, 3)), columns
    solid = values > 0
    run = solid[: length - _SOLID_RUN + 1].copy()
    for k in range(1, _SOLID_RUN):
        run &= solid[k : length - _SOLID_RUN + 1 + k]
    first = np.argmax(run, axis=0)
    found = np.take_along_axis(run, first[None], axis=0)[0] & (first > 0)
    rows, cols = np.nonzero(found)
    at = first[rows, cols]
    inner, outer = values[at, rows, cols], values[at - 1, rows, cols]
    height = at - inner / (inner - outer)
    if side[1] == "+":
        height = length - 1 - height
    index = np.empty((len(rows), 3))
    index[:, axis] = height
    others = [k for k in range(3) if k != axis]
    index[:, others[0]], index[:, others[1]] = rows, cols
    return index, columns


def _largest_piece(heights: FloatArray, near: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """Return which columns belong to the largest connected part of the plane."""
    from scipy.ndimage import label

    places = np.rint(heights[:, [k for k in range(3) if k != axis]]).astype(int)
    mask = np.zeros(places.max(axis=0) + 1, dtype=bool)
    mask[tuple(places[near].T)] = True
    pieces, _ = label(mask)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray(near & (pieces[tuple(places.T)] == int(np.argmax(sizes))))


def _otsu(values: NDArray[Any]) -> float:
    """Return the threshold that separates two classes best."""
    counts, edges = np.histogram(values, bins=256)
    middle = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1].astype(np.float64)
    above = counts.sum() - below
    mass = np.cumsum(counts * middle)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = mass[:-1] / below - (mass[-1] - mass[:-1]) / above
    between = np.where((below > 0) & (above > 0), below * above * gap**2, 0.0)
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))
    return float(middle[int(np.round(best.mean()))])


def _consensus(points: FloatArray, band: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which points lie near the plane that most points lie near."""
    sample = points[rng.choice(len(points), min(len(points), 4000), replace=False)]
    best, most = None, -1
    for _ in range(_TRIES):
        a, b, c = sample[rng.choice(len(sample), 3, replace=False)]
        normal = np.cross(b - a, c - a)
        size = np.linalg.norm(normal)
        if size < 1e-9:
            continue
        normal /= size
        count = int(np.sum(np.abs((sample - a) @ normal) <= band))
        if count > most:
            best, most = (a, normal), count
    if best is None:
        raise DataError("block face: expected columns that span a plane; found them on a line")
    return np.asarray(np.abs((points - best[0]) @ best[1]) <= band)
