from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clemkit.errors import ArgumentError
from clemkit.geometry import Grid, Space
from clemkit.volumes import Pyramid, Volume
from clemkit.volumes.pyramid import downsample_block, downsample_volume, level_factors

FACTORS = [(1, 2, 2), (2, 2, 2), (2, 1, 3), (3, 4, 1)]


def blocks(array, factor):
    """Every block of an array in order, cut plainly."""
    shape = [-(-n // f) for n, f in zip(array.shape, factor, strict=True)]
    for index in product(*map(range, shape)):
        yield (
            index,
            array[tuple(slice(i * f, (i + 1) * f) for i, f in zip(index, factor, strict=True))],
        )


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32"])
def test_block_mean_rounds_and_takes_what_is_there(cube, factor, dtype):
    data = (cube.astype("i4") - 100).astype(dtype) if dtype != "uint8" else cube
    out = downsample_block(data, factor, "intensity")
    assert out.dtype == dtype
    for index, block in blocks(data, factor):
        mean = block.astype("f8").mean()
        expected = np.rint(mean) if np.dtype(dtype).kind != "f" else mean
        assert out[index] == pytest.approx(expected, abs=1e-4 if dtype == "float32" else 0)


@pytest.mark.parametrize("factor", FACTORS)
def test_labels_take_the_most_frequent_value(rng, factor):
    data = rng.choice(np.array([0, 3, 9, 250], "u1"), (7, 11, 13), p=[0.5, 0.2, 0.2, 0.1])
    out = downsample_block(data, factor, "labels")
    for index, block in blocks(data, factor):
        values, counts = np.unique(block, return_counts=True)
        assert out[index] == values[counts == counts.max()].max()


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_a_linear_ramp_stays_where_it_is(fz, fy, fx, seed):
    """The mean of a linear field is its value at the block centre: the origin shift is exact."""
    slope = np.random.default_rng(seed).normal(size=3)
    grid = Grid(
        space=Space("em"),
        shape_zyx=(6, 12, 18),
        voxel_size_zyx_nm=(50.0, 8.0, 10.0),
        origin_zyx_nm=(100.0, -20.0, 3.5),
    )
    data = (grid.points() @ slope).reshape(grid.shape_zyx)
    coarse = downsample_volume(Volume(data=data, grid=grid, modality="em"), (fz, fy, fx))
    expected = (coarse.grid.points() @ slope).reshape(coarse.grid.shape_zyx)
    inner = tuple(slice(0, n // f) for n, f in zip(data.shape, (fz, fy, fx), strict=True))
    np.testing.assert_allclose(coarse.read()[inner], expected[inner], atol=1e-9)


def test_factors_halve_fine_axes_first():
    grid = Grid(space=Space("em"), shape_zyx=(300, 3000, 2000), voxel_size_zyx_nm=(50.0, 8.0, 10.0))
    assert level_factors(grid) == [(1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2)]
    assert level_factors(grid, 1) == []
    with pytest.raises(ArgumentError, match="at least 1"):
        level_factors(grid, 0)


def test_factors_of_a_plane_and_of_one_voxel():
    plane = Grid(space=Space("em"), shape_zyx=(1, 500, 400), voxel_size_zyx_nm=(9.0, 8.0, 10.0))
    assert level_factors(plane) == [(1, 2, 2), (1, 2, 2)]
    voxel = Grid(space=Space("em"), shape_zyx=(1, 1, 1), voxel_size_zyx_nm=(9.0, 8.0, 10.0))
    assert level_factors(voxel, 5) == []


def test_choose_a_level(volume):
    pyramid = Pyramid.build(volume, 3)
    assert [level.grid.voxel_size_zyx_nm for level in pyramid.levels] == [
        (50, 8, 10),
        (50, 16, 20),
        (50, 32, 40),
    ]
    assert pyramid.at(8) is pyramid.levels[0]
    assert pyramid.at(31) is pyramid.levels[1]
    assert pyramid.at(1) is pyramid.levels[0]
    assert pyramid.at(1e6) is pyramid.levels[2]


def test_levels_must_belong_together(volume, grid):
    with pytest.raises(ArgumentError, match="at least one"):
        Pyramid(())
    coarse = downsample_volume(volume, (2, 2, 2))
    with pytest.raises(ArgumentError, match="finest level first"):
        Pyramid((coarse, volume))


def test_channels_are_kept_apart(rng, grid):
    data = rng.integers(0, 255, (2, *grid.shape_zyx), dtype=np.uint8)
    volume = Volume(data=data, grid=grid, modality="lm", channels=("a", "b"))
    coarse = downsample_volume(volume, (1, 2, 2))
    assert coarse.channels == ("a", "b")
    np.testing.assert_array_equal(
        coarse.read(channel=1), downsample_block(data[1], (1, 2, 2), "intensity")
    )
