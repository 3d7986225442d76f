"""Damped Newton iteration for ``t(x) = y``, many points at once, each on its own.

No matrix product runs over the points, so that any split of them gives the same bytes.
"""

from __future__ import annotations

import numpy as np

from clemkit.geometry import FloatArray
from clemkit.transforms.base import Transform

__all__ = ["solve_points"]


def solve_points(
    forward: Transform,
    wanted: FloatArray,
    start: FloatArray,
    inverse_linear: FloatArray,
    tolerance_nm: float,
    max_iterations: int = 80,
) -> tuple[FloatArray, np.ndarray]:
    """Solve ``forward(x) = wanted`` from *start*.

    Newton steps with the analytic Jacobian, halved until the residual falls; where none helps, a
    fixed-point step with *inverse_linear*. Aims at a tenth of the tolerance.

    Parameters
    ----------
    forward : Transform
        The map.
    wanted, start : (N, 3) float array
        Points in its target space, and first guesses in its source space.
    inverse_linear : (3, 3) float array
        Inverse of the linear part of an affine near *forward*.
    tolerance_nm : float
        Limit for the residual (target) and for the next Newton step (source).
    max_iterations : int
        Newton steps at most.

    Returns
    -------
    points : (N, 3) array
        Best found.
    converged : (N,) bool array
        Whether residual and next step are within the tolerance.
    """
    x = start.copy()
    residual = wanted - forward.apply_points(x)
    size = _lengths(residual)
    step_size = np.full(len(x), np.inf)
    active = np.isfinite(size)
    goal = tolerance_nm / 10
    for _ in range(max_iterations):
        rows = np.flatnonzero(active)
        if not rows.size:
            break
        step = _newton_steps(forward.jacobian(x[rows]), residual[rows], inverse_linear)
        step_size[rows] = _lengths(step)
        finished = (size[rows] <= goal) & (step_size[rows] <= goal)
        active[rows[finished]] = False
        rows, step = rows[~finished], step[~finished]
        moved = _descend(forward, wanted, x, residual, size, rows, step)
        stuck = rows[~moved]
        if stuck.size:
            rz, ry, rx = residual[stuck].T
            fixed = np.stack([a * rz + b * ry + c * rx for a, b, c in inverse_linear], axis=1)
            helped = _descend(forward, wanted, x, residual, size, stuck, fixed)
            active[stuck[~helped]] = False
    return x, (size <= tolerance_nm) & (step_size <= tolerance_nm)


def _descend(
    forward: Transform,
    wanted: FloatArray,
    x: FloatArray,
    residual: FloatArray,
    size: FloatArray,
    rows: np.ndarray,
    step: FloatArray,
) -> np.ndarray:
    """Take the longest of 1, 1/2, ... 1/256 of each step that lowers its residual, in place."""
    moved = np.zeros(len(rows), dtype=bool)
    waiting = np.arange(len(rows))
    for halvings in range(9):
        if not waiting.size:
            break
        at = rows[waiting]
        trial = x[at] + step[waiting] * 0.5**halvings
        trial_residual = wanted[at] - forward.apply_points(trial)
        trial_size = _lengths(trial_residual)
        better = trial_size < size[at]
        good = at[better]
        x[good], residual[good], size[good] = (
            trial[better],
            trial_residual[better],
            trial_size[better],
        )
        moved[waiting[better]] = True
        waiting = waiting[~better]
    return moved


def _newton_steps(
    jacobian: FloatArray, residual: FloatArray, inverse_linear: FloatArray
) -> FloatArray:
    """Solve ``J step = residual``; near-singular Jacobians give way to *inverse_linear*."""
    determinant = np.linalg.det(jacobian) * np.linalg.det(inverse_linear)
    poor = ~(np.abs(determinant) > 1e-6)
    if np.any(poor):
        jacobian = jacobian.copy()
        jacobian[poor] = np.linalg.inv(inverse_linear)
    return np.asarray(np.linalg.solve(jacobian, residual[:, :, None])[:, :, 0])


def _lengths(vectors: FloatArray) -> FloatArray:
    return np.sqrt(vectors[:, 0] ** 2 + vectors[:, 1] ** 2 + vectors[:, 2] ** 2)
