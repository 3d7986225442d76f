"""Landmarks from label volumes."""

from __future__ import annotations

import numpy as np
import pytest

from clemkit.errors import ArgumentError, AxisError, TooFewLandmarksError
from clemkit.geometry import Grid, Space
from clemkit.landmarks.sample import object_centroids
from clemkit.landmarks.skeleton_points import skeleton_points
from clemkit.landmarks.surface_points import surface_points

GRID = Grid(
    space=Space("em"),
    shape_zyx=(7, 11, 13),
    voxel_size_zyx_nm=(50.0, 8.0, 10.0),
    origin_zyx_nm=(100.0, -40.0, 7.0),
)


def boxes(dtype=np.uint16) -> np.ndarray:
    labels = np.zeros(GRID.shape_zyx, dtype=dtype)
    labels[1:4, 2:5, 3:8] = 3
    labels[5:7, 7:11, 0:2] = 200
    return labels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, np.int32, np.float32])
def test_centroids_are_voxel_centre_means_with_uncertainty(dtype) -> None:
    found = object_centroids(boxes(dtype), GRID)
    np.testing.assert_array_equal(found.labels, [3, 200])
    expected = GRID.to_physical([[2, 3, 5], [5.5, 8.5, 0.5]])
    np.testing.assert_allclose(found.points.points_zyx_nm, expected)
    sigma = found.points.sigma_zyx_nm
    assert sigma is not None
    assert np.all((sigma > 0) & (sigma < np.array(GRID.voxel_size_zyx_nm) / 2))
    assert found.points.ids == ("object-3", "object-200")
    assert found.points.space == Space("em")


def test_huge_labels_do_not_allocate_lists_of_their_size() -> None:
    labels = boxes(np.uint64)
    labels[labels == 200] = 2**62
    assert object_centroids(labels, GRID).labels.tolist() == [3, 2**62]


def test_one_object_and_small_objects() -> None:
    one = (boxes() == 3).astype(np.uint8)
    assert len(object_centroids(one, GRID)) == 1
    assert object_centroids(boxes(), GRID, min_voxels=20).labels.tolist() == [3]
    with pytest.raises(TooFewLandmarksError, match="at least 1000 voxels"):
        object_centroids(boxes(), GRID, min_voxels=1000)


@pytest.mark.parametrize("sample", [object_centroids, surface_points, skeleton_points])
def test_bad_labels_are_one_clear_line(sample) -> None:
    with pytest.raises(TooFewLandmarksError, match="only background"):
        sample(np.zeros(GRID.shape_zyx, np.uint8), GRID)
    with pytest.raises(AxisError, match="z, y, x"):
        sample(np.ones((13, 11, 7), np.uint8), GRID)
    with pytest.raises(ArgumentError, match="whole numbers"):
        sample(np.full(GRID.shape_zyx, 0.5), GRID)


def ball(radius_nm: float, voxel: tuple[float, float, float]) -> tuple[np.ndarray, Grid]:
    shape = tuple(int(2 * radius_nm / v) + 5 for v in voxel)
    grid = Grid(space=Space("em"), shape_zyx=shape, voxel_size_zyx_nm=voxel)
    distance = np.linalg.norm(grid.points() - grid.centre_zyx_nm, axis=1).reshape(shape)
    return (distance < radius_nm).astype(np.uint8), grid


def test_surface_points_lie_between_voxels() -> None:
    labels, grid = ball(120.0, (10.0, 10.0, 10.0))
    points = surface_points(labels, grid, spacing_nm=30).points.points_zyx_nm
    radius = np.linalg.norm(points - grid.centre_zyx_nm, axis=1)
    # boundary voxel centres lie 2 to 10 nm inside, and scatter
    assert abs(radius.mean() - 120) < 2.5
    assert radius.std() < 2.5


def test_surface_sampling_is_even_seeded_and_counts() -> None:
    from scipy.spatial.distance import pdist

    labels, grid = ball(120.0, (20.0, 10.0, 10.0))
    spaced = surface_points(labels, grid, spacing_nm=40, seed=1)
    assert pdist(spaced.points.points_zyx_nm).min() > 40
    counted = surface_points(labels, grid, count=25)
    assert len(counted) == 25
    assert pdist(counted.points.points_zyx_nm).min() > 40
    again = surface_points(labels, grid, spacing_nm=40, seed=1)
    np.testing.assert_array_equal(again.points.points_zyx_nm, spaced.points.points_zyx_nm)
    with pytest.raises(ArgumentError, match="both"):
        surface_points(labels, grid, count=3, spacing_nm=4)
    with pytest.raises(ArgumentError, match="> 0"):
        surface_points(labels, grid, spacing_nm=-1)
    many = surface_points(boxes(), GRID, count=2)
    assert set(many.labels.tolist()) == {3, 200}


def test_skeleton_marks_ends_and_branches_of_a_y() -> None:
    grid = Grid(space=Space("em"), shape_zyx=(15, 40, 40), voxel_size_zyx_nm=(10, 10, 10))
    p = grid.points()
    centre = np.array([70.0, 200.0, 200.0])
    inside = np.zeros(len(p), bool)
    tips = centre + np.array([[0, -150, 0], [0, 110, 120], [0, 110, -120]])
    for tip in tips:
        t = np.clip((p - centre) @ (tip - centre) / np.sum((tip - centre) ** 2), 0, 1)
        inside |= np.linalg.norm(p - centre - t[:, None] * (tip - centre), axis=1) < 32
    found = skeleton_points(inside.reshape(grid.shape_zyx).astype(np.uint8), grid, spacing_nm=40)
    points, kinds = found.points.points_zyx_nm, np.array(found.kinds)
    assert (kinds == "end").sum() == 3
    assert (kinds == "branch").sum() == 1
    assert np.linalg.norm(points[kinds == "branch"][0] - centre) < 25
    for tip in tips:
        assert np.linalg.norm(points[kinds == "end"] - tip, axis=1).min() < 45
    path = points[kinds == "path"]
    assert len(path) >= 5
    assert np.abs(path[:, 0] - 70).max() < 10  # centred
    assert np.all(found.points.sigma_zyx_nm > 0)


def test_skeleton_of_single_voxels_is_the_voxel() -> None:
    labels = np.zeros(GRID.shape_zyx, np.uint8)
    labels[2, 3, 4] = 9
    found = skeleton_points(labels, GRID)
    np.testing.assert_allclose(found.points.points_zyx_nm, GRID.to_physical([[2, 3, 4]]))
    assert found.kinds == ("end",)
