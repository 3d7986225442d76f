"""Laws that hold for every warp."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clemkit.geometry import Grid, Space
from clemkit.transforms import Affine, BSpline, compose
from clemkit.warping import plan_warp, warp_array
from clemkit.warping.execute import execute_plan

EM, LM = Space("em"), Space("lm")
# compiled once before the clock of each example starts
FEW = settings(max_examples=15, deadline=None)
INPUT = Grid(
    space=LM, shape_zyx=(7, 11, 13), voxel_size_zyx_nm=(50, 8, 10), origin_zyx_nm=(3, -20, 41)
)
OUTPUT = Grid(
    space=EM, shape_zyx=(9, 13, 12), voxel_size_zyx_nm=(37, 7, 9), origin_zyx_nm=(-10, 4, 15)
)
seeds = st.integers(0, 2**31)
units = st.tuples(st.integers(1, 10), st.integers(1, 14), st.integers(1, 13))


def content(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 65535, INPUT.shape_zyx, dtype=np.uint16)


def some_map(seed: int, bend: float):
    rng = np.random.default_rng(seed)
    linear = np.eye(3) + rng.uniform(-0.15, 0.15, (3, 3))
    affine = Affine.from_parts(linear, rng.uniform(-30, 30, 3), source=EM, target=LM)
    corners = OUTPUT.corners()
    spline = BSpline.covering(corners[0], corners[-1], [150, 45, 60], source=EM, target=EM)
    values = bend * rng.normal(0, [30, 6, 8], spline.coefficients_zyx_nm.shape)
    return compose(replace(spline, coefficients_zyx_nm=values), affine)


@FEW
@given(
    seed=seeds,
    unit=units,
    bend=st.sampled_from([0.0, 0.3, 1.0]),
    workers=st.integers(1, 3),
    order=st.sampled_from([0, 1]),
    budget=st.sampled_from([60, 400, 1 << 20]),
)
def test_any_cut_and_any_workers_give_the_same_bytes(seed, unit, bend, workers, order, budget):
    data, pull_back = content(seed), some_map(seed, bend)
    plan = plan_warp(
        pull_back, INPUT, OUTPUT, write_unit_zyx=unit, block_voxels=1, input_voxels=budget
    )
    out = np.full(OUTPUT.shape_zyx, 11, dtype=data.dtype)

    def write(box, channel, values):
        out[box.slices] = values

    execute_plan(
        plan,
        lambda box, channel: data[box.slices],
        write,
        dtype=data.dtype,
        order=order,
        workers=workers,
    )
    wanted = warp_array(data, INPUT, OUTPUT, pull_back, order=order)
    assert out.tobytes() == wanted.tobytes()


@FEW
@given(seed=seeds, shift=st.tuples(*[st.integers(-4, 4)] * 3), order=st.sampled_from([0, 1]))
def test_a_shift_by_whole_voxels_is_a_copy(seed, shift, order):
    data = content(seed)
    move = np.array(shift) * np.array(INPUT.voxel_size_zyx_nm)
    pull_back = Affine.from_parts(np.eye(3), move, source=EM, target=LM)
    found = warp_array(data, INPUT, replace(INPUT, space=EM), pull_back, order=order)
    wanted = np.zeros_like(data)
    index = np.indices(data.shape) + np.array(shift)[:, None, None, None]
    inside = np.all((index >= 0) & (index < np.array(data.shape)[:, None, None, None]), axis=0)
    wanted[inside] = data[tuple(index[:, inside])]
    assert np.array_equal(found, wanted)


@FEW
@given(seed=seeds, axes=st.permutations([0, 1, 2]))
def test_turning_the_axes_turns_the_result(seed, axes):
    data = content(seed)
    turned_grid = replace(
        INPUT,
        shape_zyx=tuple(INPUT.shape_zyx[a] for a in axes),
        voxel_size_zyx_nm=tuple(INPUT.voxel_size_zyx_nm[a] for a in axes),
        origin_zyx_nm=tuple(INPUT.origin_zyx_nm[a] for a in axes),
    )
    back = np.zeros((3, 3))
    back[np.arange(3), axes] = 1.0
    # output axis i is input axis axes[i]: the pull-back undoes the permutation
    undo = Affine.from_parts(back.T, np.zeros(3), source=LM, target=EM)
    found = warp_array(data, replace(INPUT, space=EM), turned_grid, undo)
    assert np.array_equal(found, np.transpose(data, axes))


@FEW
@given(seed=seeds, bend=st.sampled_from([0.0, 0.5]))
def test_linear_values_stay_between_their_neighbours(seed, bend):
    data = content(seed).astype(np.float32)
    found = warp_array(data, INPUT, OUTPUT, some_map(seed, bend), fill=float(data[0, 0, 0]))
    assert found.min() >= data.min()
    assert found.max() <= data.max() * (1 + 1e-6)
    constant = np.full_like(data, 12345)
    assert np.all(warp_array(constant, INPUT, OUTPUT, some_map(seed, bend), fill=12345) == 12345)
