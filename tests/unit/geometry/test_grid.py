from __future__ import annotations

import numpy as np
import pytest

from clemkit.errors import ArgumentError
from clemkit.geometry import Box, Grid, Space

GRID = Grid(
    space=Space("em"),
    shape_zyx=(7, 11, 13),
    voxel_size_zyx_nm=(50.0, 8.0, 10.0),
    origin_zyx_nm=(-120.0, 33.0, 1000.0),
)


def test_an_integer_index_is_a_voxel_centre():
    np.testing.assert_allclose(GRID.to_physical([[0, 0, 0]]), [[-120.0, 33.0, 1000.0]])
    np.testing.assert_allclose(GRID.to_physical([[1, 2, 3]]), [[-70.0, 49.0, 1030.0]])


def test_to_index_undoes_to_physical(rng):
    index = rng.uniform(-3, 15, size=(20, 3))
    np.testing.assert_allclose(GRID.to_index(GRID.to_physical(index)), index, atol=1e-12)


def test_extent_and_centre_count_half_voxels():
    np.testing.assert_allclose(GRID.extent_zyx_nm, [350.0, 88.0, 130.0])
    np.testing.assert_allclose(GRID.centre_zyx_nm, [30.0, 73.0, 1060.0])
    corners = GRID.corners()
    assert corners.shape == (8, 3)
    np.testing.assert_allclose(corners.min(axis=0), [-145.0, 29.0, 995.0])
    np.testing.assert_allclose(corners.max(axis=0), [205.0, 117.0, 1125.0])


def test_contains_ends_half_a_voxel_outside_the_last_centre():
    inside = GRID.contains(GRID.to_physical([[-0.49, 0, 0], [-0.51, 0, 0], [6.49, 10, 12.6]]))
    assert inside.tolist() == [True, False, False]


def test_points_run_in_c_order():
    points = GRID.points()
    assert len(points) == GRID.size == 7 * 11 * 13
    np.testing.assert_allclose(points[1] - points[0], [0, 0, 10.0])
    np.testing.assert_allclose(points[13] - points[0], [0, 8.0, 0])
    np.testing.assert_allclose(points[-1], GRID.to_physical([[6, 10, 12]])[0])


def test_downsampling_moves_the_origin_by_half_the_surplus():
    coarse = GRID.downsample((1, 2, 4))
    assert coarse.shape_zyx == (7, 6, 4)
    assert coarse.voxel_size_zyx_nm == (50.0, 16.0, 40.0)
    assert coarse.origin_zyx_nm == (-120.0, 33.0 + 4.0, 1000.0 + 15.0)


def test_a_block_mean_stays_where_it_was():
    grid = Grid(space=Space("em"), shape_zyx=(6, 8, 12), voxel_size_zyx_nm=(50, 8, 10))
    slope = [0.3, 0.7, 1.1]  # of a ramp, whose block mean is its value at the block's centre
    ramp = (grid.points() @ slope).reshape(3, 2, 2, 4, 4, 3)
    coarse = grid.downsample((2, 4, 3))
    np.testing.assert_allclose(ramp.mean(axis=(1, 3, 5)).ravel(), coarse.points() @ slope)


def test_resampling_keeps_the_outer_faces():
    fine = GRID.resample((25.0, 4.0, 5.0))
    assert fine.shape_zyx == (14, 22, 26)
    np.testing.assert_allclose(fine.corners(), GRID.corners())


def test_crop_keeps_positions():
    box = Box((2, 3, 4), (5, 9, 10))
    cut = GRID.crop(box)
    assert cut.shape_zyx == (3, 6, 6)
    np.testing.assert_allclose(cut.to_physical([[0, 0, 0]]), GRID.to_physical([[2, 3, 4]]))


def test_box_clip_stays_inside_and_may_be_empty():
    assert Box((-2, 3, 4), (5, 99, 10)).clip((4, 5, 6)) == Box((0, 3, 4), (4, 5, 6))
    assert Box((9, 0, 0), (12, 5, 5)).clip((4, 5, 6)).is_empty
    assert Box((1, 2, 3), (2, 4, 6)).slices == (slice(1, 2), slice(2, 4), slice(3, 6))


def test_a_box_may_not_run_backwards():
    with pytest.raises(ArgumentError, match="stop >= start"):
        Box((2, 0, 0), (1, 5, 5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape_zyx": (0, 1, 1)}, "positive integers"),
        ({"shape_zyx": (1.5, 1, 1)}, "positive integers"),
        ({"voxel_size_zyx_nm": (1.0, -8.0, 1.0)}, "> 0"),
        ({"voxel_size_zyx_nm": (1.0, 8.0)}, "three values"),
        ({"origin_zyx_nm": (0.0, float("nan"), 0.0)}, "finite"),
    ],
)
def test_a_grid_is_never_half_valid(change, message):
    values = {"space": Space("em"), "shape_zyx": (1, 2, 3), "voxel_size_zyx_nm": (1.0, 1.0, 1.0)}
    with pytest.raises(ArgumentError, match=message):
        Grid(**{**values, **change})


def test_downsampling_by_zero_is_refused():
    with pytest.raises(ArgumentError, match="integers >= 1"):
        GRID.downsample((1, 0, 2))
