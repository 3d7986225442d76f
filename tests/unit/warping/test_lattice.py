from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clemkit.geometry import Box, Grid, Space
from clemkit.transforms import Affine, BSpline, DisplacementField, compose
from clemkit.warping.axes import axis_nodes, axis_taps
from clemkit.warping.knots import first_step, knot_planes
from clemkit.warping.lattice import TiledMap

EM, LM = Space("em"), Space("lm")
GRID = Grid(
    space=EM, shape_zyx=(100, 150, 90), voxel_size_zyx_nm=(50, 8, 10), origin_zyx_nm=(3, 5, 7)
)


@pytest.mark.parametrize("n", [1, 2, 3, 17, 64])
@pytest.mark.parametrize("step", [0, 1, 2, 16])
def test_nodes_span_the_axis_and_nest(n, step):
    nodes = axis_nodes(n, step)
    assert (nodes[0], nodes[-1]) == (0, n - 1)
    assert np.all(np.diff(nodes) > 0)
    if step and n > 1:
        assert np.diff(nodes).max() <= step
        coarse = axis_nodes(n, 2 * step)
        assert len(nodes) % 2 == 1
        assert len(coarse) == len(nodes) or np.allclose(nodes[::2], coarse)


def test_breaks_are_nodes():
    breaks = (3.25, 20.0, 20.5)
    nodes = axis_nodes(64, 8, breaks)
    assert set(breaks) <= set(nodes[::2])


@pytest.mark.parametrize(("taps", "degree"), [(2, 1), (4, 3)])
def test_weights_reproduce_polynomials(taps, degree):
    nodes = axis_nodes(40, 8, (11.5,))
    targets = np.linspace(0, 39, 57)
    first, weights = axis_taps(nodes, targets, taps)
    for power in range(degree + 1):
        values = nodes[first[:, None] + np.arange(taps)] ** power
        assert np.allclose((values * weights).sum(axis=1), targets**power)


def field(spacing, **options) -> DisplacementField:
    rng = np.random.default_rng(1)
    grid = Grid(space=EM, shape_zyx=(5, 6, 7), voxel_size_zyx_nm=spacing, **options)
    return DisplacementField(rng.normal(0, 5, (5, 6, 7, 3)), grid, EM, EM)


def test_knot_planes_are_those_of_a_field_applied_first():
    planes = knot_planes(field((500, 160, 100), origin_zyx_nm=(28, 9, 17)), GRID)
    assert np.allclose(planes[0], 0.5 + 10 * np.arange(5))
    assert np.allclose(planes[1], 0.5 + 20 * np.arange(6))
    assert np.allclose(planes[2], 1.0 + 10 * np.arange(7))
    turn = Affine.identity(EM, EM)
    assert not any(len(p) for p in knot_planes(compose(turn, field((500, 160, 100))), GRID))
    assert not any(len(p) for p in knot_planes(field((60, 160, 100)), GRID))


def test_steps_do_not_pass_over_knots():
    assert first_step(Affine.identity(EM, LM), GRID) == 8
    assert first_step(field((500, 160, 100)), GRID) == 8
    assert first_step(field((60, 160, 100)), GRID) == 0
    spline = BSpline.covering([0] * 3, [5000] * 3, [1000, 50, 1000], source=EM, target=EM)
    assert first_step(spline, GRID) == 4
    half = Affine.from_parts(0.5 * np.eye(3), np.zeros(3), source=EM, target=EM)
    coarse = replace(GRID, voxel_size_zyx_nm=(10, 10, 10))
    after = field((25, 25, 25))
    assert first_step(compose(half, after), coarse) == 4
    assert first_step(compose(half, half, half, half, after), coarse) == 8


def test_an_affine_needs_few_positions_and_is_exact():
    calls = []

    class Counted:
        source, target = EM, EM

        def apply_points(self, points, /):
            calls.append(len(points))
            return 2 * points + 5

    tiled = TiledMap(Counted(), GRID, GRID)
    (tile,) = tiled.tile((0, 1, 0))
    assert tile.box == Box((0, 64, 0), (64, 128, 64))
    assert tile.error_voxels < 1e-9
    assert calls == [729]
    assert tiled.tile((0, 1, 0))[0] is tile


def test_a_kink_nobody_announced_is_found_and_resolved_around_it():
    class Kink:
        source, target = EM, EM

        def apply_points(self, points, /):
            out = points.copy()
            out[:, 2] += 2 * np.abs(points[:, 2] - 303.3)
            return out

    leaves = TiledMap(Kink(), GRID, GRID).tile((0, 0, 0))
    covered = np.zeros((64, 64, 64), dtype=int)
    for leaf in leaves:
        covered[leaf.box.slices] += 1
        near = 16 <= leaf.box.start[2] < 32  # the cube of 16 voxels that holds the bend at 29.6
        assert near == (leaf.box.shape == (8, 8, 8) and leaf.error_voxels == 0.0)
        assert leaf.error_voxels <= 0.05
    # what maps beyond the input has no map
    seen = 3 * (np.arange(64) * 10 + 7) - 2 * 303.3
    seen = np.where(np.arange(64) < 30, 606.6 - (np.arange(64) * 10 + 7), seen)
    inside = seen / 10 < 90
    assert np.all(covered[:, :, inside] == 1)
    assert covered.max() == 1
    assert {leaf.box.shape for leaf in leaves} > {(8, 8, 8)}


def test_what_sees_no_input_has_no_map():
    far = Affine.from_parts(np.eye(3), [0, 0, 1e5], source=EM, target=EM)
    assert TiledMap(far, GRID, GRID).tile((0, 0, 0)) == ()


def test_a_tile_does_not_depend_on_what_was_asked_before():
    t = field((60, 160, 100))
    first, second = TiledMap(t, GRID, GRID), TiledMap(t, GRID, GRID)
    first.tiles(Box((0, 0, 0), (100, 150, 90)))
    for a, b in zip(first.tile((1, 1, 0)), second.tile((1, 1, 0)), strict=True):
        assert a.box == b.box
        assert a.nodes.tobytes() == b.nodes.tobytes()
        assert np.array_equal(a.base_zyx, b.base_zyx)
