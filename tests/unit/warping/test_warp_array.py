from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from clemkit.errors import ArgumentError, SpaceMismatchError
from clemkit.geometry import Grid, Space
from clemkit.transforms import Affine, DisplacementField, Transform, compose, numerical_inverse
from clemkit.warping import plan_warp, warp_array

EM, LM = Space("em"), Space("lm")


def reference(
    data: np.ndarray, input_grid: Grid, output_grid: Grid, pull_back: Transform, fill: float = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Exact positions, double precision; and which voxels are not on the border's knife edge."""
    index = input_grid.to_index(pull_back.apply_points(output_grid.points()))
    values = map_coordinates(data.astype(np.float64), index.T, order=1, mode="nearest")
    last = np.array(input_grid.shape_zyx) - 1
    inside = np.all((index >= -0.5) & (index <= last + 0.5), axis=1)
    distance = np.minimum(np.abs(index + 0.5), np.abs(index - last - 0.5)).min(axis=1)
    values = np.where(inside, values, fill)
    return values.reshape(output_grid.shape_zyx), (distance > 0.06).reshape(output_grid.shape_zyx)


def ramps(grid: Grid) -> np.ndarray:
    """Each channel is a voxel index, so that linear sampling returns the position itself."""
    return np.stack(np.indices(grid.shape_zyx)).astype(np.float32)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u4", ">u2", "f2", "f4", "f8"])
def test_agrees_with_scipy_for_every_voxel_type(dtype, rng, input_grid, output_grid, affine):
    kind = np.dtype(dtype)
    if kind.kind == "f":
        data = rng.normal(0, 100, input_grid.shape_zyx).astype(kind)
    else:
        info = np.iinfo(kind)
        data = rng.integers(info.min, info.max, input_grid.shape_zyx, endpoint=True).astype(kind)
    found = warp_array(data, input_grid, output_grid, affine)
    wanted, clear = reference(data, input_grid, output_grid, affine)
    assert found.dtype == data.dtype
    assert 0.2 < np.mean(wanted != 0) < 1
    span = np.ptp(data.astype(np.float64))
    slack = {"f": 0.1 if kind.itemsize == 2 else 0.0}.get(kind.kind, 0.5)
    assert np.abs(found.astype(np.float64) - wanted)[clear].max() <= slack + 1e-4 * span


def test_whole_numbers_are_rounded_not_truncated(input_grid, output_grid, affine, rng):
    data = rng.integers(0, 255, input_grid.shape_zyx, dtype=np.uint8)
    found = warp_array(data, input_grid, output_grid, affine)
    wanted, clear = reference(data, input_grid, output_grid, affine)
    assert abs(np.mean((found - wanted)[clear])) < 0.02


def test_map_error_stays_within_the_reported_bound(input_grid, output_grid, bent):
    wide = replace(output_grid, shape_zyx=(40, 70, 90), voxel_size_zyx_nm=(11, 2.7, 2.3))
    plan = plan_warp(bent, input_grid, wide)
    index = input_grid.to_index(bent.apply_points(wide.points()))
    last = np.array(input_grid.shape_zyx) - 1
    inside = np.all((index > 0.1) & (index < last - 0.1), axis=1)
    data = ramps(input_grid)
    found = np.stack([warp_array(c, input_grid, wide, bent).reshape(-1) for c in data], axis=1)
    error = np.linalg.norm(found - index, axis=1)[inside]
    assert inside.sum() > 10_000
    assert plan.map_error_voxels <= 0.05
    assert error.max() <= plan.map_error_voxels + 1e-4
    assert plan.smallest_cell_voxels > 1


def test_tighter_tolerance_gives_a_finer_map(input_grid, output_grid, bent):
    wide = replace(output_grid, shape_zyx=(40, 70, 90), voxel_size_zyx_nm=(11, 2.7, 2.3))
    loose = plan_warp(bent, input_grid, wide, tolerance_voxels=0.3)
    tight = plan_warp(bent, input_grid, wide, tolerance_voxels=0.01)
    assert tight.smallest_cell_voxels < loose.smallest_cell_voxels
    assert tight.map_error_voxels <= 0.01 < loose.map_error_voxels


def test_displacement_field_is_exact_between_its_knots(input_grid, output_grid, affine, rng):
    wide = replace(output_grid, shape_zyx=(70, 90, 100), voxel_size_zyx_nm=(6, 2.1, 2.1))
    knots = Grid(
        space=EM, shape_zyx=(4, 5, 6), voxel_size_zyx_nm=(111, 41, 37), origin_zyx_nm=(-3, 17, 41)
    )
    field = DisplacementField(rng.normal(0, [40, 9, 9], (4, 5, 6, 3)), knots, EM, EM)
    pull_back = compose(field, affine)
    plan = plan_warp(pull_back, input_grid, wide)
    assert plan.map_error_voxels < 1e-9
    assert plan.smallest_cell_voxels > 2
    data = ramps(input_grid)[2]
    found = warp_array(data, input_grid, wide, pull_back)
    wanted, clear = reference(data, input_grid, wide, pull_back)
    assert np.abs(found - wanted)[clear].max() < 1e-3


def test_labels_keep_their_type_and_value(input_grid, output_grid, bent, rng):
    ids = np.array([0, 7, 2**63 + 5, 2**64 - 1], dtype=np.uint64)
    data = ids[rng.integers(0, 4, input_grid.shape_zyx)]
    found = warp_array(data, input_grid, output_grid, bent, order=0)
    index = input_grid.to_index(bent.apply_points(output_grid.points()))
    last = np.array(input_grid.shape_zyx) - 1
    inside = np.all((index >= -0.5) & (index <= last + 0.5), axis=1)
    near = np.clip(np.floor(index + 0.5), 0, last).astype(int)
    wanted = np.where(inside, data[tuple(near.T)], 0).reshape(output_grid.shape_zyx)
    clear = np.all(np.abs(index - np.floor(index) - 0.5) > 0.06, axis=1)
    assert found.dtype == np.uint64
    same = (found == wanted)[clear.reshape(output_grid.shape_zyx)]
    assert same.all()
    assert same.size > 1000


def test_masks_are_boolean_again(input_grid, output_grid, affine, rng):
    data = rng.random(input_grid.shape_zyx) > 0.5
    found = warp_array(data, input_grid, output_grid, affine, order=0)
    assert found.dtype == np.bool_
    bytes_found = warp_array(data.astype(np.uint8), input_grid, output_grid, affine, order=0)
    assert np.array_equal(found, bytes_found.astype(bool))


def test_identity_returns_the_input(input_grid, rng):
    data = rng.integers(0, 65535, input_grid.shape_zyx, dtype=np.uint16)
    same = Affine.identity(LM, LM)
    assert np.array_equal(warp_array(data, input_grid, input_grid, same), data)
    assert np.array_equal(warp_array(data, input_grid, input_grid, same, order=0), data)


def test_half_a_voxel_beyond_the_outermost_centre_still_counts():
    data = np.array([10, 20], dtype=np.uint8).reshape(1, 1, 2)
    grid = Grid(space=LM, shape_zyx=(1, 1, 2), voxel_size_zyx_nm=(50, 8, 10))
    out = Grid(
        space=LM, shape_zyx=(1, 1, 9), voxel_size_zyx_nm=(50, 8, 2.5), origin_zyx_nm=(0, 0, -5)
    )
    found = warp_array(data, grid, out, Affine.identity(LM, LM), fill=99)
    assert found.ravel().tolist() == [10, 10, 10, 13, 15, 18, 20, 20, 20]
    further = replace(out, origin_zyx_nm=(0, 0, 16), shape_zyx=(1, 1, 2))
    assert warp_array(data, grid, further, Affine.identity(LM, LM), fill=99).ravel().tolist() == [
        99,
        99,
    ]


def test_flat_volumes_warp_in_plane(rng):
    data = rng.integers(0, 255, (1, 17, 23), dtype=np.uint8)
    grid = Grid(space=LM, shape_zyx=(1, 17, 23), voxel_size_zyx_nm=(50, 8, 10))
    shift = Affine.from_parts(np.eye(3), [10.0, 16.0, -30.0], source=EM, target=LM)
    out = replace(grid, space=EM)
    found = warp_array(data, grid, out, shift)
    assert np.array_equal(found[:, :15, 3:], data[:, 2:, :20])


def test_channels_are_warped_alike(input_grid, output_grid, bent, rng):
    data = rng.integers(0, 255, (3, *input_grid.shape_zyx), dtype=np.uint8)
    found = warp_array(data, input_grid, output_grid, bent)
    alone = [warp_array(channel, input_grid, output_grid, bent) for channel in data]
    assert np.array_equal(found, np.stack(alone))


def test_where_the_transform_has_no_answer_the_fill_stays(input_grid, rng):
    class Half:
        """Has no answer for negative x."""

        source, target = LM, LM

        def apply_points(self, points, /):
            return np.where(points[:, 2:] < input_grid.origin_zyx_nm[2] + 115, np.nan, points)

    data = rng.integers(1, 255, input_grid.shape_zyx, dtype=np.uint8)
    found = warp_array(data, input_grid, input_grid, Half(), fill=0)
    assert np.array_equal(found[:, :, 12:], data[:, :, 12:])
    assert not found[:, :, :12].any()


def test_certified_inverse_pulls_the_other_way(input_grid, output_grid, bent, rng):
    back = numerical_inverse(bent, domain=output_grid)
    data = ramps(output_grid)[1]
    found = warp_array(data, output_grid, input_grid, back, fill=-1)
    points = input_grid.points()
    mapped, ok = back.apply_points_checked(points)
    wanted = output_grid.to_index(mapped)[:, 1]
    inside = ok & (found.ravel() > 0.5) & (found.ravel() < output_grid.shape_zyx[1] - 1.5)
    assert inside.sum() > 500
    assert np.abs(found.ravel() - wanted)[inside].max() < 0.06


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"order": 2}, "order"),
        ({"fill": -1}, "fill"),
        ({"fill": 0.5}, "fill"),
        ({"workers": 0}, "workers"),
        ({"tolerance_voxels": 0}, "tolerance_voxels"),
    ],
)
def test_what_cannot_work_is_refused(options, words, input_grid, output_grid, affine):
    data = np.zeros(input_grid.shape_zyx, dtype=np.uint8)
    with pytest.raises(ArgumentError, match=words):
        warp_array(data, input_grid, output_grid, affine, **options)


def test_wide_labels_are_never_interpolated(input_grid, output_grid, affine):
    data = np.zeros(input_grid.shape_zyx, dtype=np.uint64)
    with pytest.raises(ArgumentError, match="order 0"):
        warp_array(data, input_grid, output_grid, affine)


def test_the_wrong_direction_is_an_error_not_a_blur(input_grid, output_grid, affine):
    data = np.zeros(input_grid.shape_zyx, dtype=np.uint8)
    with pytest.raises(SpaceMismatchError, match="direction"):
        warp_array(data, input_grid, output_grid, affine.inverse())


def test_a_shape_that_is_not_the_grids_is_refused(input_grid, output_grid, affine):
    with pytest.raises(ArgumentError, match="grid says"):
        warp_array(np.zeros((2, 2, 2)), input_grid, output_grid, affine)
