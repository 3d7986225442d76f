"""Factors of normal matrices, and what a runaway fit says."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg as sl

from clemkit.errors import NotConvergedError
from clemkit.registration.factor import inverse_from_factor, positive_factor


def test_solves_and_leaves_the_matrix_alone(rng):
    root = rng.normal(size=(6, 6))
    matrix = root @ root.T + np.eye(6)
    kept = matrix.copy()
    right = rng.normal(size=6)
    solution = sl.cho_solve(positive_factor(matrix), right)
    np.testing.assert_allclose(matrix @ solution, right, rtol=1e-6)
    assert np.array_equal(matrix, kept)


def test_a_direction_without_data_is_settled():
    found = sl.cho_solve(positive_factor(np.diag([4.0, 0.0, 2.0])), np.array([8.0, 0.0, 2.0]))
    np.testing.assert_allclose(found, [2.0, 0.0, 1.0], rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -5.0])
def test_a_runaway_system_is_refused(bad):
    matrix = np.eye(3)
    matrix[1, 1] = bad
    with pytest.raises(NotConvergedError, match="expected a solvable system"):
        positive_factor(matrix)


def test_the_inverse_of_a_factor_is_the_inverse_of_the_matrix():
    rng = np.random.default_rng(2)
    root = rng.normal(size=(23, 31))
    matrix = root @ root.T
    inverse = inverse_from_factor(positive_factor(matrix))
    assert np.allclose(inverse, inverse.T)
    assert np.allclose(inverse @ matrix, np.eye(23), atol=1e-6)
