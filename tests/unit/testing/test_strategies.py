from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from clemkit.testing import strategies

FEW = settings(max_examples=25, deadline=None)


@FEW
@given(strategies.grids(), strategies.points())
def test_grids_are_usable(grid, points):
    assert grid.size > 0
    index = grid.to_index(points)
    np.testing.assert_allclose(grid.to_physical(index), points, rtol=1e-9, atol=1e-6)


@FEW
@given(strategies.affines(mirrored=True), strategies.points())
def test_mirrored_affines_mirror_and_invert(affine, points):
    assert affine.determinant < 0
    back = affine.inverse().apply_points(affine.apply_points(points))
    np.testing.assert_allclose(back, points, atol=1e-4)


@FEW
@given(strategies.affines(mirrored=False, scale_max=1.5))
def test_affines_stay_within_the_scale(affine):
    singular = np.linalg.svd(affine.linear, compute_uv=False)
    assert affine.determinant > 0
    assert singular.max() <= 1.5 + 1e-9
    assert singular.min() >= 1 / 1.5 - 1e-9
