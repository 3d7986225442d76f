"""Any transform as an affine and a displacement field, with the measured error of sampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clemkit.errors import OutsideDomainError
from clemkit.geometry import FloatArray, Grid, Space, require_same_space
from clemkit.transforms.affine import Affine
from clemkit.transforms.base import Transform, compose
from clemkit.transforms.bspline import BSpline
from clemkit.transforms.displacement_field import DisplacementField
from clemkit.transforms.io.checked_points import map_checked
from clemkit.transforms.io.frame_note import join_parts

__all__ = ["SampledTransform", "sample_over_domain", "sample_spline"]

_CHECKS = 4096
_MOST_PER_AXIS = 96
_SAMPLES = (4_000, 32_000, 256_000)  # each halves the spacing


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledTransform:
    """A transform that was sampled, and what that cost.

    Attributes
    ----------
    transform : Transform
        The sampled transform.
    median_error_nm, max_error_nm : float
        Distance to the original at random positions between the samples; zero when exact.
    checked : int
        Number of positions.
    covered_fraction : float
        Share of the positions where the original is certified; only these are in the errors.
        Elsewhere the field continues with its nearest certified value.
    """

    transform: Transform
    median_error_nm: float
    max_error_nm: float
    checked: int
    covered_fraction: float = 1.0


def sample_over_domain(
    transform: Transform, domain: Grid, *, target_error_nm: float = 1.0, seed: int = 0
) -> SampledTransform:
    """Express a transform as a displacement field followed by its best affine.

    The field holds what the affine does not, so that far from the domain the affine remains. It
    is made finer, up to a limit, until the largest measured error is below the target; the
    result carries the error that was reached.

    Parameters
    ----------
    transform : Transform
        Any transform.
    domain : Grid
        Region in the source space; the field reaches from face to face.
    target_error_nm : float
        When to stop refining.
    seed : int
        Of the positions where the error is measured.

    Raises
    ------
    OutsideDomainError
        The transform is certified nowhere in the domain.
    """
    require_same_space(transform.source, domain.space, "sample_over_domain")
    merged = compose(transform)
    if isinstance(merged, Affine):
        return SampledTransform(transform=merged, median_error_nm=0.0, max_error_nm=0.0, checked=0)
    found = _sampled_once(transform, domain, _SAMPLES[0], seed)
    for samples in _SAMPLES[1:]:
        if found.max_error_nm <= target_error_nm:
            break
        found = _sampled_once(transform, domain, samples, seed)
    return found


def _sampled_once(transform: Transform, domain: Grid, samples: int, seed: int) -> SampledTransform:
    lo, hi = domain.corners()[[0, -1]]
    spacing = np.prod(hi - lo) ** (1 / 3) / samples ** (1 / 3)
    grid = _grid(domain.space, lo, hi, np.ceil((hi - lo) / spacing) + 1)
    points = grid.points()
    mapped, ok = map_checked(transform, points)
    if not np.any(ok):
        raise OutsideDomainError(
            f"sample_over_domain: expected samples in {domain.space} where the transform is "
            f"certified; found none of {len(points)}; choose a domain that it covers"
        )
    centre = points[ok].mean(axis=0)
    design = np.column_stack([points[ok] - centre, np.ones(int(ok.sum()))])
    solution = np.linalg.lstsq(design, mapped[ok], rcond=None)[0]
    linear = solution[:3].T
    middle = Space(f"{transform.source}-bent")
    affine = Affine.from_parts(
        linear, solution[3] - linear @ centre, source=middle, target=transform.target
    )
    found = np.all(np.isfinite(mapped), axis=1)
    values = np.zeros_like(points)
    values[found] = affine.inverse().apply_points(mapped[found]) - points[found]
    values = _continued(values.reshape(*grid.shape_zyx, 3), found.reshape(grid.shape_zyx))
    field = DisplacementField(values, grid, transform.source, middle)
    return _measured(join_parts((field, affine)), transform, lo, hi, seed)


def sample_spline(spline: BSpline, *, seed: int = 0) -> SampledTransform:
    """Sample a B-spline over its domain, four samples per control spacing where that fits."""
    lo, hi = spline.domain_zyx_nm
    cells = np.array(spline.lattice.shape_zyx) - 3
    count = np.minimum(4 * cells + 1, np.maximum(_MOST_PER_AXIS, cells + 1))
    grid = _grid(spline.source, lo, hi, count)
    values = spline.apply_points(grid.points()) - grid.points()
    field = DisplacementField(
        values.reshape(*grid.shape_zyx, 3), grid, spline.source, spline.target
    )
    return _measured(field, spline, lo, hi, seed)


def _grid(space: Space, lo: np.ndarray, hi: np.ndarray, count: np.ndarray) -> Grid:
    """Return a grid whose first and last samples lie on *lo* and *hi*."""
    nz, ny, nx = (int(n) for n in np.maximum(count, 2))
    sz, sy, sx = (float(v) for v in (hi - lo) / (np.array([nz, ny, nx]) - 1))
    oz, oy, ox = (float(v) for v in lo)
    return Grid(
        space=space,
        shape_zyx=(nz, ny, nx),
        voxel_size_zyx_nm=(sz, sy, sx),
        origin_zyx_nm=(oz, oy, ox),
    )


def _continued(values: FloatArray, found: np.ndarray) -> FloatArray:
    """Fill nodes without a solution from the nearest one that has one."""
    if found.all():
        return values
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(~found, return_distances=False, return_indices=True)
    return np.asarray(values[tuple(nearest)], dtype=np.float64)


def _measured(
    found: Transform, original: Transform, lo: np.ndarray, hi: np.ndarray, seed: int
) -> SampledTransform:
    positions = np.random.default_rng(seed).uniform(lo, hi, (_CHECKS, 3))
    expected, ok = map_checked(original, positions)
    if not np.any(ok):
        raise OutsideDomainError(
            "sampling: expected positions where the transform is certified; found none of "
            f"{len(positions)}; choose a domain that it covers"
        )
    wrong = np.linalg.norm(found.apply_points(positions[ok]) - expected[ok], axis=1)
    return SampledTransform(
        transform=found,
        median_error_nm=float(np.median(wrong)),
        max_error_nm=float(wrong.max()),
        checked=_CHECKS,
        covered_fraction=float(ok.mean()),
    )
