"""An honest error: predictions for structures that were left out, and the posterior spread.

Whole objects are held out in turn. For each fold the deformation is solved again without the
voxels near the held-out objects, and every held-out piece is asked how far it would still have to
move to fit the moving image. That distance contains the prediction error and the noise of the
piece's own localisation; both have known covariances, so their common scale can be measured. The
scaled posterior then gives the target registration error everywhere in the fixed field, also
where no structure is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray
from scipy import ndimage as ndi
from scipy.optimize import minimize

from clemkit.geometry import FloatArray, Grid
from clemkit.registration.factor import inverse_from_factor, positive_factor
from clemkit.registration.ffd_lattice import covariance_at
from clemkit.registration.model_fit import ModelFit
from clemkit.registration.result import ErrorEstimate
from clemkit.registration.structures import Structures

__all__ = [
    "HeldOut",
    "estimate_error",
    "hold_out",
    "spread_map",
    "with_shared_offset",
    "with_slack",
]

FloatImage = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """What held-out pieces say.

    Attributes
    ----------
    points_zyx_nm : (N, 3) array
        Pieces, fixed frame.
    misfit_zyx_nm : (N, 3) array
        Remaining displacement each piece asks for when it was not used, fixed frame.
    covariance_nm2 : (N, 3, 3) array
        Covariance of the misfit by noise alone.
    predicted_nm2 : (N, 3, 3) array
        Covariance of the prediction by the posterior.
    scale : float
        Measured over expected size of the prediction error.
    noise_scale : float
        Measured over expected size of the localisation noise.
    """

    points_zyx_nm: FloatArray
    misfit_zyx_nm: FloatArray
    covariance_nm2: FloatArray
    predicted_nm2: FloatArray
    scale: float
    noise_scale: float = 1.0


def _owner_of_voxels(structures: Structures, reach_nm: float) -> NDArray[np.int64]:
    """Return the piece nearest to each voxel within *reach_nm*, else 0."""
    voxel = structures.grid.voxel_size_zyx_nm
    distance, index = ndi.distance_transform_edt(
        structures.piece == 0, sampling=voxel, return_indices=True
    )
    owner = structures.piece[tuple(index)]
    return np.where(distance <= reach_nm, owner, 0).astype(np.int64)


def hold_out(
    fit: ModelFit, structures: Structures, *, reach_nm: float, folds: int = 5, seed: int = 0
) -> HeldOut:
    """Leave whole objects out, fold by fold, and measure how well they are predicted.

    Parameters
    ----------
    fit : ModelFit
    structures : Structures
        On the work grid of the fit.
    reach_nm : float
        How far the light of a structure reaches.
    folds : int
    seed : int
        Assignment of objects to folds.

    Returns
    -------
    HeldOut
    """
    lattice = fit.lattice
    owner = _owner_of_voxels(structures, reach_nm)
    objects = structures.objects[owner]
    unique = np.unique(structures.objects[1:])
    if len(unique) < 2 * folds:  # too few objects to leave out: leave out pieces
        objects = owner
        structures = replace(structures, objects=np.arange(structures.count + 1))
        unique = np.arange(1, structures.count + 1)
    rng = np.random.default_rng(seed)
    fold_of = np.zeros(int(structures.objects.max()) + 1, int)
    fold_of[unique] = rng.permutation(len(unique)) % folds
    bending = fit.stiffness * lattice.bending.toarray()
    right = fit.pull
    current = lattice.field(fit.coefficients)
    flat = owner.ravel()
    count = structures.count + 1
    g = fit.gradient.reshape(3, -1)
    w = fit.weight.ravel()
    information = np.zeros((count, 3, 3))
    for a in range(3):
        for b in range(a, 3):
            information[:, a, b] = np.bincount(flat, w * g[a] * g[b], count)
            information[:, b, a] = information[:, a, b]
    flat_axes = [a for a in range(3) if lattice.grid.shape_zyx[a] == 1]
    for a in flat_axes:  # nothing moves along an axis of one voxel
        information[:, a, a] = 1e12
    points, misfits, covariances, predicted = [], [], [], []
    for fold in range(folds):
        out = (owner > 0) & (fold_of[objects] == fold)
        if not out.any():
            continue
        weight = (fit.weight * out).astype(np.float32)
        normal = fit.normal - lattice.normal_matrix(fit.gradient, weight).toarray()
        lost = -lattice.project(weight * fit.residual * fit.gradient).ravel()
        # data term at the solution, without the held-out voxels
        matrix = normal + bending
        factor = positive_factor(matrix)
        solution = sl.cho_solve(factor, normal @ fit.coefficients.ravel() + (right - lost))
        move = lattice.field(solution.reshape(fit.coefficients.shape)) - current
        change = (move * fit.gradient).sum(axis=0)
        residual = (fit.residual + change).ravel()
        members = [
            p
            for p in range(1, count)
            if fold_of[structures.objects[p]] == fold
            and np.linalg.eigvalsh(information[p])[0] > 1e-8
        ]
        if not members:
            continue
        inverse = inverse_from_factor(factor)
        pull = np.stack([np.bincount(flat, w * residual * g[a], count) for a in range(3)], axis=1)
        spread = covariance_at(lattice, inverse, structures.centres_zyx_nm[members])
        for p, s in zip(members, spread, strict=True):
            c = np.linalg.inv(information[p])
            points.append(structures.centres_zyx_nm[p])
            misfits.append(-c @ pull[p])
            covariances.append(c)
            predicted.append(s)
    if not points:
        empty = np.zeros((0, 3))
        return HeldOut(empty, empty, np.zeros((0, 3, 3)), np.zeros((0, 3, 3)), float("nan"))
    d, c, s = np.array(misfits), np.array(covariances), np.array(predicted)
    # an axis of one voxel says nothing about either scale
    open_axes = [a for a in range(3) if a not in flat_axes]
    part = np.ix_(range(len(d)), open_axes, open_axes)
    noise, spread_scale = _two_scales(d[:, open_axes], c[part], s[part])
    return HeldOut(np.array(points), d, c, s, spread_scale, noise)


def _two_scales(d: FloatArray, c: FloatArray, s: FloatArray) -> tuple[float, float]:
    """Fit the sizes of localisation noise and of prediction error to the misfits.

    Maximum likelihood of a multivariate t distribution (five degrees of freedom) with covariance
    ``a² c + b² s``; log a and log b have broad priors around 0, so that few pieces change little.
    That of b is wider towards larger errors: what a model lacks makes it too sure, never too shy.
    """
    shape = (5.0 + d.shape[1]) / 2

    def cost(log_scales: FloatArray) -> float:
        a2, b2 = np.exp(2 * log_scales)
        total = a2 * c + b2 * s
        square = np.einsum("ni,nij,nj->n", d, np.linalg.inv(total), d)
        _, logdet = np.linalg.slogdet(total)
        likelihood = 0.5 * logdet + shape * np.log1p(square / 5.0 * (5.0 / 3.0))
        width = 0.3 if log_scales[1] > 0 else 0.25
        prior = 0.5 * (log_scales[0] / 1.0) ** 2 + 0.5 * (log_scales[1] / width) ** 2
        return float(likelihood.sum() + prior)

    found = minimize(cost, np.zeros(2), method="Nelder-Mead", options={"maxiter": 200})
    a, b = np.exp(found.x)
    return float(a), float(b)


def spread_map(fit: ModelFit, coarse: Grid, linear: FloatArray, scale: float) -> FloatImage:
    """Return the standard deviation of the mapped position on a coarse grid, nm.

    Parameters
    ----------
    fit : ModelFit
    coarse : Grid
        Where to evaluate, fixed space.
    linear : (3, 3) array
        Linear part fixed → moving, so that the result is in the moving frame.
    scale : float
        Calibration.

    Returns
    -------
    (z, y, x) float32 array
        Root of the trace of the covariance.
    """
    inverse = _posterior(fit)
    covariance = covariance_at(fit.lattice, inverse, coarse.points())
    mapped = np.einsum("ai,nij,aj->n", linear, covariance, linear)
    sigma = _CALIBRATION * scale * np.sqrt(np.maximum(mapped, 0.0))
    return sigma.reshape(coarse.shape_zyx).astype(np.float32)


def _posterior(fit: ModelFit) -> FloatArray:
    matrix = fit.normal + fit.stiffness * fit.lattice.bending.toarray()
    return inverse_from_factor(positive_factor(matrix))


def estimate_error(
    fit: ModelFit,
    held: HeldOut,
    grid: Grid,
    linear: FloatArray,
    *,
    seed: int,
    samples: int = 64,
    regions: tuple[int, int, int] = (1, 3, 3),
) -> ErrorEstimate:
    """Sample deformations from the scaled posterior and read the error off them.

    Parameters
    ----------
    fit : ModelFit
    held : HeldOut
    grid : Grid
        Fixed grid.
    linear : (3, 3) array
        Linear part fixed → moving.
    seed : int
    samples : int
        Posterior draws.
    regions : tuple of int
        Into how many regions the field is cut, z, y, x.

    Returns
    -------
    ErrorEstimate
        Median and 90th percentile over the field; 90 % interval of the median.
    """
    rng = np.random.default_rng(seed)
    extent = grid.extent_zyx_nm
    count = np.maximum(np.minimum(np.array(grid.shape_zyx), 14), 1)
    axes = [
        grid.origin_zyx_nm[a] - grid.voxel_size_zyx_nm[a] / 2 + (np.arange(n) + 0.5) * extent[a] / n
        for a, n in enumerate(count)
    ]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    rows = fit.lattice.rows(points)
    matrix = fit.normal + fit.stiffness * fit.lattice.bending.toarray()
    lower = positive_factor(matrix)[0]
    draws = sl.solve_triangular(
        lower, rng.standard_normal((len(matrix), samples)), lower=True, trans="T"
    )
    n = int(np.prod(fit.lattice.shape))
    field = np.stack([rows @ draws[a * n : (a + 1) * n] for a in range(3)])  # 3, points, samples
    for a in range(3):
        if fit.lattice.grid.shape_zyx[a] == 1:
            field[a] = 0.0
    field = np.tensordot(linear, field, axes=(1, 0))
    scale = _CALIBRATION * (held.scale if np.isfinite(held.scale) else 1.0)
    length = scale * np.sqrt((field**2).sum(axis=0))
    medians = np.median(length, axis=0)
    median = float(np.median(medians))
    low, high = _interval(median, medians, len(held.points_zyx_nm))
    return ErrorEstimate(
        median_nm=median,
        p90_nm=float(np.median(np.percentile(length, 90, axis=0))),
        low_nm=low,
        high_nm=high,
        kind="held-out",
        count=len(held.points_zyx_nm),
        regions=_regions(points, length, held, grid, regions),
    )


# true over estimated median error on twelve experiments of benchmarks/registration (simulated):
# geometric mean, and spread of its logarithm
_CALIBRATION = 1.12
_MODEL_SPREAD = 0.20


def _interval(median: float, medians: FloatArray, count: int) -> tuple[float, float]:
    """Return the 90 % interval: posterior spread, calibration spread and model spread."""
    posterior = float(np.std(np.log(np.maximum(medians, 1e-9))))
    calibration = 1.0 / np.sqrt(max(count, 1))
    total = 1.645 * np.sqrt(posterior**2 + calibration**2 + _MODEL_SPREAD**2)
    return median * float(np.exp(-total)), median * float(np.exp(total))


def with_slack(error: ErrorEstimate, slack_nm: float) -> ErrorEstimate:
    """Return the estimate with an offset that no residual shows, added in quadrature.

    Parameters
    ----------
    error : ErrorEstimate
    slack_nm : float
        One standard deviation of the offset; the lower end of the interval stays.
    """

    def wider(figures: Mapping[str, Any]) -> dict[str, Any]:
        out = dict(figures)
        if "median_nm" in out:
            out["median_nm"] = float(np.hypot(out["median_nm"], slack_nm))
            out["high_nm"] = float(np.hypot(out["high_nm"], 1.645 * slack_nm))
        return out

    return replace(
        error,
        median_nm=float(np.hypot(error.median_nm, slack_nm)),
        p90_nm=float(np.hypot(error.p90_nm, 1.645 * slack_nm)),
        high_nm=float(np.hypot(error.high_nm, 1.645 * slack_nm)),
        regions=tuple(wider(r) for r in error.regions),
    )


def with_shared_offset(error: ErrorEstimate, offset_nm: float) -> ErrorEstimate:
    """Return the estimate with a higher upper end, for what all structures may share.

    Parameters
    ----------
    error : ErrorEstimate
    offset_nm : float
        An offset that is not unusual and leaves no residual: a focal shift, a one-sided blur,
        outlines that were drawn wider than the stain.
    """
    regions = tuple(
        {**r, "high_nm": float(np.hypot(float(r["high_nm"]), offset_nm))} if "high_nm" in r else r
        for r in error.regions
    )
    high = float(np.hypot(error.high_nm, offset_nm))
    return replace(error, high_nm=high, regions=regions)


def _regions(
    points: FloatArray,
    length: FloatArray,
    held: HeldOut,
    grid: Grid,
    regions: tuple[int, int, int],
) -> tuple[dict[str, object], ...]:
    low = grid.corners().min(axis=0)
    size = grid.extent_zyx_nm / np.array(regions)
    place = np.clip(((points - low) / size).astype(int), 0, np.array(regions) - 1)
    where = np.clip(((held.points_zyx_nm - low) / size).astype(int), 0, np.array(regions) - 1)
    out: list[dict[str, object]] = []
    for index in np.ndindex(*regions):
        inside = (place == index).all(axis=1)
        evidence = int((where == index).all(axis=1).sum()) if len(where) else 0
        centre = low + (np.array(index) + 0.5) * size
        region: dict[str, object] = {
            "centre_zyx_nm": [float(v) for v in centre],
            "size_zyx_nm": [float(v) for v in size],
            "count": evidence,
        }
        if evidence:
            medians = np.median(length[inside], axis=0)
            median = float(np.median(medians))
            lo, hi = _interval(median, medians, evidence)
            region |= {"median_nm": median, "low_nm": lo, "high_nm": hi}
        out.append(region)
    return tuple(out)
