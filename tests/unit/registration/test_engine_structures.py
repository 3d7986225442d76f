"""Typical radius, pieces of objects on the work grid, and cubes as stand-ins."""

from __future__ import annotations

import numpy as np
import pytest

from clemkit.geometry import Grid, Space
from clemkit.registration.structures import block_structures, cut_pieces, structure_radius_nm

EM = Space("em")


def grid_of(shape, voxel) -> Grid:
    return Grid(space=EM, shape_zyx=shape, voxel_size_zyx_nm=voxel, origin_zyx_nm=(130, -400, 70))


def tube(grid: Grid, axis, radius: float, centre=None) -> np.ndarray:
    """Return a cylinder through the centre that leaves the field."""
    points = grid.points() - (grid.centre_zyx_nm if centre is None else centre)
    a = np.asarray(axis, float) / np.linalg.norm(axis)
    away = np.linalg.norm(points - np.outer(points @ a, a), axis=1)
    return (away <= radius).reshape(grid.shape_zyx)


@pytest.mark.parametrize("axis", [(1, 2, 3), (3, 1, 2), (1, 0.4, 0.7)])
def test_radius_of_a_tube(axis):
    grid = grid_of((41, 60, 50), (30, 20, 24))
    # faces of a voxel grid overstate surface by a factor that depends on the direction
    assert structure_radius_nm(tube(grid, axis, 150), grid) == pytest.approx(150, rel=0.12)


def test_radius_of_balls_is_two_thirds_as_twice_volume_over_surface():
    grid = grid_of((40, 60, 50), (30, 20, 24))
    labels = np.zeros(grid.shape_zyx, np.uint16)
    for k, shift in enumerate(([-250, -300, -250], [200, 250, 240], [0, -10, 30])):
        away = np.linalg.norm(grid.points() - grid.centre_zyx_nm - shift, axis=1)
        labels[(away <= 160).reshape(labels.shape)] = k + 1
    assert structure_radius_nm(labels, grid) == pytest.approx(160 * 2 / 3, rel=0.05)


def test_radius_of_a_section_ignores_its_faces():
    grid = grid_of((1, 90, 80), (500, 10, 12))
    disc = np.linalg.norm(grid.points()[:, 1:] - grid.centre_zyx_nm[1:], axis=1) <= 200
    # 2 A / P, and the outline of pixels is 4/pi longer, not 3/2
    expected = 200 * 1.5 / (4 / np.pi)
    found = structure_radius_nm(disc.reshape(grid.shape_zyx), grid)
    assert found == pytest.approx(expected, rel=0.03)


@pytest.fixture
def rods() -> tuple[np.ndarray, Grid]:
    """Return a long rod, label 3, and a ball, label 5, on an odd grid."""
    grid = grid_of((15, 31, 93), (40, 20, 20))
    labels = np.zeros(grid.shape_zyx, np.uint16)
    labels[4:7, 5:9, 3:83] = 3
    labels[9:13, 20:26, 80:87] = 5
    return labels, grid


def test_long_objects_are_cut_and_short_ones_are_not(rods):
    labels, grid = rods
    found = cut_pieces(labels, grid, 400.0, (1, 1, 1))
    counts = np.bincount(found.objects[1:], minlength=6)
    assert counts[3] == pytest.approx(1600 / 400, abs=1)
    assert counts[5] == 1
    assert counts.sum() == found.count
    # every piece lies inside its object, and all voxels belong to a piece
    assert np.array_equal(found.objects[found.piece], labels)
    assert np.array_equal(found.fraction, labels > 0)
    lengths = [
        np.ptp(np.nonzero(found.piece == p)[2] * 20) + 20
        for p in np.flatnonzero(found.objects == 3)
    ]
    assert max(lengths) < 2 * 400
    assert sum(lengths) == pytest.approx(1600, abs=100)


def test_centroids_and_fractions_on_a_coarser_grid(rods):
    labels, grid = rods
    factor = (2, 3, 4)
    found = cut_pieces(labels, grid, 400.0, factor)
    assert found.grid == grid.downsample(factor)
    assert found.fraction.shape == found.piece.shape == found.grid.shape_zyx == (8, 11, 24)
    assert found.fraction[3, 2, 1] == pytest.approx((labels[6:8, 6:9, 4:8] > 0).mean())
    assert 0 < found.fraction[3, 2, 1] < 1
    assert np.array_equal(found.piece > 0, found.fraction > 0)
    # a ball that shares no work voxel keeps its centre
    ball = int(np.flatnonzero(found.objects == 5)[0])
    truth = grid.points()[(labels == 5).ravel()].mean(axis=0)
    np.testing.assert_allclose(found.centres_zyx_nm[ball], truth, atol=6)
    rod = np.flatnonzero(found.objects == 3)
    low, high = grid.to_physical([[3.5, 4.5, 2.5], [6.5, 8.5, 82.5]])
    assert np.all(found.centres_zyx_nm[rod] > low)
    assert np.all(found.centres_zyx_nm[rod] < high)


def test_pieces_are_the_same_every_time(rods):
    labels, grid = rods
    a, b = (cut_pieces(labels, grid, 300.0, (1, 2, 2)) for _ in range(2))
    assert np.array_equal(a.piece, b.piece)


def test_missing_label_numbers_make_no_pieces():
    grid = grid_of((5, 7, 9), (40, 20, 20))
    labels = np.zeros(grid.shape_zyx, np.int32)
    labels[1, 2:4, 3:5] = 40
    found = cut_pieces(labels, grid, 1000.0, (1, 1, 1))
    assert found.count == 1
    assert found.objects.tolist() == [0, 40]


def test_cubes_fill_the_field():
    grid = grid_of((7, 22, 39), (50, 20, 10))
    found = block_structures(grid, 120.0)
    assert found.count == 3 * 4 * 3
    assert np.array_equal(np.unique(found.piece), np.arange(1, 37))
    assert np.all(found.fraction == 1)
    sizes = np.bincount(found.piece.ravel())[1:]
    assert sizes.max() <= 3 * 6 * 13
    for p in (1, 17, 36):
        inside = grid.points()[(found.piece == p).ravel()]
        np.testing.assert_allclose(found.centres_zyx_nm[p], inside.mean(axis=0))
        assert np.all(np.ptp(inside, axis=0) < 130)


def test_a_cube_larger_than_the_field_is_one_piece():
    assert block_structures(grid_of((1, 7, 9), (50, 20, 10)), 1e4).count == 1


def test_walls_are_cut_by_what_they_fill_not_by_their_length():
    grid = grid_of((20, 60, 55), (40, 20, 24))
    labels = np.zeros(grid.shape_zyx, np.uint16)
    labels[:, ::20] = labels[:, :, ::18] = 1  # cell walls, one connected object
    radius = structure_radius_nm(labels, grid)
    pieces = cut_pieces(labels, grid, 6.5 * radius, (1, 1, 1))
    filled = labels.sum() * 40 * 20 * 24
    assert pieces.count == pytest.approx(filled / (np.pi * radius**2 * 6.5 * radius), rel=0.15)
    assert pieces.count > 20
    assert np.all(pieces.objects[1:] == 1)
