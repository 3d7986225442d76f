"""The best affine of a deformable transform, for formats that hold nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clemkit.errors import OutsideDomainError
from clemkit.geometry import FloatArray, Grid, require_same_space
from clemkit.transforms.affine import Affine
from clemkit.transforms.base import Transform, compose
from clemkit.transforms.io.checked_points import map_checked

__all__ = ["AffineFit", "best_affine", "domain_samples"]

_FEWEST = 12  # four would fit an affine, and hide that nothing else was seen


@dataclass(frozen=True, slots=True, kw_only=True)
class AffineFit:
    """An affine and how far it is from the transform it stands for.

    Attributes
    ----------
    moving_to_fixed : Affine
        Least-squares fit over the fixed domain.
    median_nm, max_nm : float
        Distance in the fixed space between the affine and the transform at the samples; zero
        when the transform is affine itself.
    samples : int
        Number of sample positions.
    """

    moving_to_fixed: Affine
    median_nm: float
    max_nm: float
    samples: int

    def sentence(self) -> str:
        """Say what the affine leaves out, for the formats that show a text."""
        if self.max_nm == 0.0:
            return "Affine registration."
        return (
            "Affine approximation of a deformable registration: residual "
            f"median {self.median_nm:.4g} nm, max {self.max_nm:.4g} nm in the fixed volume."
        )


def domain_samples(grid: Grid, per_axis: int = 12) -> FloatArray:
    """Return positions that span a grid's volume from face to face, ``(per_axis**3, 3)`` nm."""
    corners = grid.corners()
    axes = [np.linspace(corners[0][i], corners[-1][i], per_axis) for i in range(3)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def best_affine(fixed_to_moving: Transform, fixed_grid: Grid) -> AffineFit:
    """Fit moving → fixed by least squares over the fixed domain.

    Parameters
    ----------
    fixed_to_moving : Transform
        The registration in its sampling direction.
    fixed_grid : Grid
        The domain; its outer faces belong to it.

    Raises
    ------
    SpaceMismatchError
        The grid does not lie in the transform's source.
    NotInvertibleError
        The transform is a singular affine.
    OutsideDomainError
        The transform is certified almost nowhere in the domain.
    """
    require_same_space(fixed_grid.space, fixed_to_moving.source, "best_affine")
    merged = compose(fixed_to_moving)
    if isinstance(merged, Affine):
        return AffineFit(moving_to_fixed=merged.inverse(), median_nm=0.0, max_nm=0.0, samples=0)
    fixed = domain_samples(fixed_grid)
    moving, ok = map_checked(fixed_to_moving, fixed)
    fixed, moving = fixed[ok], moving[ok]
    if len(fixed) < _FEWEST:
        raise OutsideDomainError(
            f"best_affine: expected {_FEWEST} of the {len(ok)} samples of {fixed_grid.space} where "
            f"the transform is certified; found {len(fixed)}; choose a domain that it covers"
        )
    centre = moving.mean(axis=0)  # keeps the normal equations well scaled
    design = np.column_stack([moving - centre, np.ones(len(moving))])
    solution = np.linalg.lstsq(design, fixed, rcond=None)[0]
    linear = solution[:3].T
    affine = Affine.from_parts(
        linear,
        solution[3] - linear @ centre,
        source=fixed_to_moving.target,
        target=fixed_to_moving.source,
    )
    residual = np.linalg.norm(affine.apply_points(moving) - fixed, axis=1)
    return AffineFit(
        moving_to_fixed=affine,
        median_nm=float(np.median(residual)),
        max_nm=float(residual.max()),
        samples=len(fixed),
    )
