from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clemkit.errors import ArgumentError
from clemkit.geometry import Box, Grid, Space
from clemkit.transforms import Affine, BSpline
from clemkit.warping import plan_warp

EM, LM = Space("em"), Space("lm")


def needed(input_grid, output_grid, pull_back, box):
    """Lowest and highest input voxel that linear sampling of *box* touches, by brute force."""
    index = input_grid.to_index(pull_back.apply_points(output_grid.crop(box).points()))
    last = np.array(input_grid.shape_zyx) - 1
    index = index[np.all((index >= -0.5) & (index <= last + 0.5), axis=1)]
    if not len(index):
        return None
    low = np.clip(np.floor(index.min(axis=0)), 0, last)
    return low, np.clip(np.floor(index.max(axis=0)) + 1, 0, last)


@pytest.mark.parametrize("unit", [(5, 7, 6), (11, 21, 19), (1, 4, 19)])
def test_every_voxel_that_is_needed_is_read(unit, input_grid, output_grid, bent):
    plan = plan_warp(bent, input_grid, output_grid, write_unit_zyx=unit, block_voxels=1)
    covered = np.zeros(output_grid.shape_zyx, dtype=int)
    for block in plan.blocks():
        for part in block.parts:
            covered[part.output.slices] += 1
            found = needed(input_grid, output_grid, bent, part.output)
            if found is not None:
                assert np.all(found[0] >= part.input.start)
                assert np.all(found[1] < part.input.stop)
    assert covered.max() == 1
    index = input_grid.to_index(bent.apply_points(output_grid.points()))
    last = np.array(input_grid.shape_zyx) - 1
    inside = np.all((index > -0.4) & (index < last + 0.4), axis=1).reshape(covered.shape)
    assert covered[inside].all()


def test_boxes_are_tight(input_grid, output_grid, bent):
    plan = plan_warp(bent, input_grid, output_grid, write_unit_zyx=(5, 7, 6), block_voxels=1)
    surplus = []
    for block in plan.blocks():
        for part in block.parts:
            found = needed(input_grid, output_grid, bent, part.output)
            if found is not None:
                low, high = found
                surplus.append(np.array(part.input.shape) - (high - low + 1))
    assert len(surplus) > 20
    # what maps outside a corner of the input still widens the box a little
    assert np.mean(surplus) < 0.6


def test_corners_alone_would_read_too_little():
    grid = Grid(space=EM, shape_zyx=(24, 24, 24), voxel_size_zyx_nm=(10, 10, 10))
    wide = Grid(
        space=LM,
        shape_zyx=(64, 64, 64),
        voxel_size_zyx_nm=(10, 10, 10),
        origin_zyx_nm=(-200, -200, -200),
    )
    spline = BSpline.covering([0, 0, 0], [230] * 3, [58] * 3, source=EM, target=LM)
    values = np.zeros(spline.coefficients_zyx_nm.shape)
    values[3, 3, 3] = [-200.0, 150.0, 600.0]  # a bulge in the middle; the corners stay
    bulge = replace(spline, coefficients_zyx_nm=values)
    box = Box((0, 0, 0), (24, 24, 24))
    corners = wide.to_index(
        bulge.apply_points(grid.to_physical(24 * np.mgrid[:2, :2, :2].reshape(3, -1).T - 0.5))
    )
    low, high = needed(wide, grid, bulge, box)
    assert high[2] > corners[:, 2].max() + 5
    part = next(plan_warp(bulge, wide, grid).blocks()).parts[0]
    assert np.all(low >= part.input.start)
    assert np.all(high < part.input.stop)


def test_blocks_that_see_nothing_are_left_out(input_grid, output_grid):
    far = Affine.from_parts(np.eye(3), [0.0, 0.0, 1e6], source=EM, target=LM)
    plan = plan_warp(far, input_grid, output_grid, write_unit_zyx=(5, 7, 6), block_voxels=1)
    assert plan.empty_count == plan.block_count == 3 * 3 * 4
    assert plan.voxels_read == 0
    assert all(not block.parts for block in plan.blocks())


def test_a_translation_reads_each_voxel_once(input_grid):
    same = Affine.identity(LM, LM)
    plan = plan_warp(same, input_grid, input_grid, write_unit_zyx=(13, 17, 23))
    assert plan.block_count == 1
    assert plan.voxels_read == input_grid.size


def test_input_of_a_part_is_bounded(input_grid):
    wide = replace(input_grid, shape_zyx=(130, 170, 230), voxel_size_zyx_nm=(5.0, 0.8, 1.0))
    coarse = replace(input_grid, space=EM)
    shrink = Affine.identity(EM, LM)
    plan = plan_warp(shrink, wide, coarse, input_voxels=20_000)
    sizes = plan.part_boxes[:, 9:12] - plan.part_boxes[:, 6:9]
    assert np.prod(sizes, axis=1).max() <= 20_000
    assert len(sizes) > 150
    assert plan.peak_bytes(1) < plan_warp(shrink, wide, coarse).peak_bytes(1)


def test_blocks_are_whole_write_units():
    grid = Grid(space=LM, shape_zyx=(300, 310, 70), voxel_size_zyx_nm=(10, 10, 10))
    same = Affine.identity(LM, LM)
    plan = plan_warp(same, grid, grid, write_unit_zyx=(64, 32, 32), block_voxels=1 << 20)
    assert plan.block_shape_zyx == (128, 128, 64)
    assert all(b % u == 0 for b, u in zip(plan.block_shape_zyx, plan.write_unit_zyx, strict=True))
    starts = {block.output.start for block in plan.blocks()}
    assert starts == {
        (z, y, x) for z in range(0, 300, 128) for y in range(0, 310, 128) for x in (0, 64)
    }


def test_the_plan_says_what_it_will_do(input_grid, output_grid, bent):
    text = str(plan_warp(bent, input_grid, output_grid))
    assert "11 x 21 x 19 voxels of 40 x 9 x 11 nm in em" in text
    assert "1 of 128 x 128 x 128" in text
    assert "measured error up to" in text
    coarse = replace(output_grid, voxel_size_zyx_nm=(500, 9, 11))
    assert "10.0 times as large" in str(plan_warp(bent, input_grid, coarse))


def test_planning_reports_progress(input_grid, output_grid, bent):
    seen = []
    plan_warp(
        bent,
        input_grid,
        output_grid,
        write_unit_zyx=(5, 7, 6),
        block_voxels=1,
        progress=lambda stage, fraction, message="": seen.append((stage, fraction)),
    )
    assert [stage for stage, _ in seen] == ["plan"] * 36
    assert seen[-1][1] == 1.0


@pytest.mark.parametrize("unit", [(0, 4, 4), (4, 4)])
def test_write_units_must_be_positive(unit, input_grid, output_grid, bent):
    with pytest.raises(ArgumentError, match="write unit"):
        plan_warp(bent, input_grid, output_grid, write_unit_zyx=unit)
