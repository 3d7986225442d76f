from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clemkit.geometry import Grid, Space
from clemkit.transforms import Affine, BSpline, Transform, compose

EM, LM = Space("em"), Space("lm")


@pytest.fixture
def input_grid() -> Grid:
    return Grid(
        space=LM, shape_zyx=(13, 17, 23), voxel_size_zyx_nm=(50, 8, 10), origin_zyx_nm=(7, -30, 91)
    )


@pytest.fixture
def output_grid() -> Grid:
    return Grid(
        space=EM,
        shape_zyx=(11, 21, 19),
        voxel_size_zyx_nm=(40, 9, 11),
        origin_zyx_nm=(-20, 15, 33),
    )


@pytest.fixture
def affine() -> Affine:
    linear = [[1.05, 0.2, -0.1], [0.01, 0.97, -0.12], [-0.02, 0.1, 1.02]]
    return Affine.from_parts(linear, [40.0, -25.0, 60.0], source=EM, target=LM)


@pytest.fixture
def bent(output_grid: Grid, affine: Affine, rng: np.random.Generator) -> Transform:
    """A smooth deformation of several voxels, then the affine."""
    corners = output_grid.corners()
    spline = BSpline.covering(corners[0], corners[-1], [120, 60, 70], source=EM, target=EM)
    values = rng.normal(0, [25, 8, 10], spline.coefficients_zyx_nm.shape)
    return compose(replace(spline, coefficients_zyx_nm=values), affine)
