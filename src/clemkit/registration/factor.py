"""Cholesky factors of normal matrices, with a tiny ridge and a clear failure."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as sl

from clemkit.errors import NotConvergedError
from clemkit.geometry import FloatArray

__all__ = ["positive_factor"]


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
