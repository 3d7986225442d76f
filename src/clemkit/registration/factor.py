"""Cholesky factors of normal matrices, with a tiny ridge and a clear failure."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as sl

from clemkit.errors import NotConvergedError
from clemkit.geometry import FloatArray

__all__ = ["inverse_from_factor", "positive_factor"]


def positive_factor(matrix: FloatArray) -> tuple[Any, bool]:
    """Return the Cholesky factor for ``scipy.linalg.cho_solve``.

    A ridge of 1e-9 of the mean diagonal settles directions without data and without penalty,
    such as z in a single section.

    Raises
    ------
    NotConvergedError
        The matrix is not positive definite or not finite: the fit has run away.
    """
    matrix = matrix.copy()
    matrix[np.diag_indices_from(matrix)] += 1e-9 * (1 + float(np.mean(np.diag(matrix))))
    try:
        factor: tuple[Any, bool] = sl.cho_factor(matrix, lower=True, overwrite_a=True)
    except (np.linalg.LinAlgError, ValueError) as error:
        raise NotConvergedError(
            "deformation: expected a solvable system; found none "
            f"({error}); the placement is probably wrong, or an image holds extreme values"
        ) from error
    return factor


def inverse_from_factor(factor: tuple[Any, bool]) -> FloatArray:
    """Return the inverse of the factored matrix; a third of the work of solving for it."""
    lower, is_lower = factor
    assert is_lower
    inverse, info = sl.lapack.dpotri(lower, lower=1)
    if info != 0:  # pragma: no cover - a factor has no zero on its diagonal
        raise NotConvergedError("deformation: expected a solvable system; found a singular one")
    inverse = np.tril(inverse)
    return np.asarray(inverse + np.tril(inverse, -1).T)
