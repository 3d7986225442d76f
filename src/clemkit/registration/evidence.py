"""What else tells a deformation, besides the first image: landmarks, further structures.

Each piece of evidence is a quadratic in the control displacements around where they are: a
Gauss-Newton matrix, and the pull towards what it asks for. Pieces add up.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np

from clemkit.geometry import FloatArray
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.structures import Structures

__all__ = ["Evidence", "Guide", "gather", "remaining"]


class Evidence(Protocol):
    """Evidence on one lattice."""

    def evaluate(self, coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the Gauss-Newton matrix ``(n, n)`` and the pull ``(n,)`` at *coefficients*."""
        ...

    def pull_at(self, coefficients: FloatArray) -> FloatArray:
        """Return the pull alone, at the end: the last one known where that is costly."""
        ...


class Guide(Protocol):
    """A source of evidence for every level of the deformation."""

    def on_images(self, lattice: FfdLattice, blur_nm: float, blur_zyx_nm: FloatArray) -> Evidence:
        """Return its evidence beside normalised images that are blurred by *blur_nm*.

        *blur_zyx_nm* is the blur of the moving image, ``(3,)``.
        """
        ...

    def on_model(self, lattice: FfdLattice, structures: Structures | None) -> Evidence:
        """Return its evidence beside the model of the moving image, for the final fit.

        *structures* are those of the first image, where it has labels.
        """
        ...


def gather(more: Iterable[Evidence], coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the sums of matrices and pulls; zeros ``(1, 1)`` and ``(1,)`` without evidence."""
    normal, pull = np.zeros((1, 1)), np.zeros(1)
    for evidence in more:
        matrix, vector = evidence.evaluate(coefficients)
        normal, pull = normal + matrix, pull + vector
    return normal, pull


def remaining(more: Iterable[Evidence], coefficients: FloatArray) -> FloatArray | None:
    """Return the sum of the pulls at the end; None without evidence."""
    pulls = [evidence.pull_at(coefficients) for evidence in more]
    return np.sum(pulls, axis=0) if pulls else None
