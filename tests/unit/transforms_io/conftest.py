"""Asymmetric, anisotropic, off-zero grids and the transforms between them."""

from __future__ import annotations

import numpy as np
import pytest

from clemkit.geometry import Grid, Space
from clemkit.transforms import Affine
from clemkit.transforms.base import Chain
from clemkit.transforms.bspline import BSpline
from clemkit.transforms.displacement_field import DisplacementField

EM, MID, LM = Space("em"), Space("em-rough"), Space("lm")


@pytest.fixture
def fixed_grid() -> Grid:
    return Grid(
        space=EM,
        shape_zyx=(7, 11, 13),
        voxel_size_zyx_nm=(50.0, 8.0, 10.0),
        origin_zyx_nm=(-35.0, 120.5, 61.25),
    )


@pytest.fixture
def moving_grid() -> Grid:
    return Grid(
        space=LM,
        shape_zyx=(9, 14, 10),
        voxel_size_zyx_nm=(60.0, 20.0, 22.0),
        origin_zyx_nm=(-80.0, -90.0, 40.0),
    )


@pytest.fixture
def affine() -> Affine:
    """From em to lm; no symmetry in it."""
    linear = [[1.02, 0.05, -0.02], [-0.03, 0.97, 0.11], [0.04, -0.08, 1.05]]
    return Affine.from_parts(linear, [35.1, -120.7, 61.3], source=EM, target=LM)


@pytest.fixture
def spline(rng: np.random.Generator, fixed_grid: Grid) -> BSpline:
    """From em to em-rough, over the whole of the fixed grid."""
    lo, hi = fixed_grid.corners()[[0, -1]]
    zero = BSpline.covering(lo, hi, (120.0, 40.0, 45.0), source=EM, target=MID)
    values = rng.normal(0, 1.5, zero.coefficients_zyx_nm.shape)
    return BSpline(values, zero.lattice, EM, MID)


@pytest.fixture
def field(rng: np.random.Generator, fixed_grid: Grid) -> DisplacementField:
    """From em to em-rough, sampled on the fixed grid."""
    return DisplacementField(rng.normal(0, 1.5, (7, 11, 13, 3)), fixed_grid, EM, MID)


@pytest.fixture
def chain(spline: BSpline, affine: Affine) -> Chain:
    """Spline, then affine: em to lm."""
    return Chain((spline, Affine(affine.matrix, source=MID, target=LM)))
