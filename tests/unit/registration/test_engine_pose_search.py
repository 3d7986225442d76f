"""The exhaustive search finds a known pose of a small field of blobs in a larger volume."""

from __future__ import annotations

import numpy as np
import pytest

from clemkit.geometry import Grid, Space
from clemkit.registration.pose_search import Pose, search_pose
from clemkit.registration.rotations import axis_rotation, optical_axis_rotations

EM, LM = Space("em"), Space("lm")
MOVING = Grid(
    space=LM, shape_zyx=(20, 34, 30), voxel_size_zyx_nm=(100,) * 3, origin_zyx_nm=(40, -700, 300)
)
FIXED = Grid(
    space=EM, shape_zyx=(13, 23, 19), voxel_size_zyx_nm=(80, 60, 70), origin_zyx_nm=(-90, 30, 500)
)
Z = np.array([1.0, 0.0, 0.0])
TURNS = [axis_rotation(Z, np.deg2rad(a)) for a in range(0, 360, 20)]


class Blobs:
    """Random Gaussian blobs in the moving frame; known everywhere."""

    def __init__(self, grid: Grid, count: int = 60) -> None:
        rng = np.random.default_rng(4)
        low, high = grid.corners().min(axis=0), grid.corners().max(axis=0)
        self.centres = rng.uniform(low, high, (count, 3))
        self.height = rng.uniform(0.5, 2.0, count)

    def at(self, points: np.ndarray) -> np.ndarray:
        square = ((points[:, None] - self.centres[None]) ** 2).sum(axis=2)
        return np.exp(-square / (2 * 130.0**2)) @ self.height

    def image(self, grid: Grid, pose: Pose | None = None) -> np.ndarray:
        points = grid.points() if pose is None else pose.apply(grid.points())
        values = self.at(points).reshape(grid.shape_zyx)
        return (values - values.mean()).astype(np.float32)


def pose_at(linear, centre_in_moving_nm) -> Pose:
    """Return the pose that puts the middle of the fixed field at a place."""
    linear = np.asarray(linear)
    return Pose(linear, np.asarray(centre_in_moving_nm) - linear @ FIXED.centre_zyx_nm, 1.0)


def corner_gap(found: Pose, truth: Pose) -> float:
    corners = FIXED.corners()
    return float(np.linalg.norm(found.apply(corners) - truth.apply(corners), axis=1).max())


def search(truth: Pose, linears, sign: int = 1, **options) -> list[Pose]:
    blobs = Blobs(MOVING)
    moving = np.float32(sign) * blobs.image(MOVING)
    return search_pose(moving, MOVING, blobs.image(FIXED, truth), FIXED, linears, **options)


def test_finds_the_shift():
    truth = pose_at(np.eye(3), MOVING.centre_zyx_nm + np.array([137, -411, 288]))
    found = search(truth, [np.eye(3)])
    assert corner_gap(found[0], truth) < 100  # half a voxel along each axis
    assert found[0].score > 0.9
    assert found[0].score > 1.5 * found[1].score


def test_finds_rotation_tilt_and_scale_among_many():
    axis = np.array([0.0, 1.0, 0.3])
    linear = 1.1 * axis_rotation(axis, np.deg2rad(12)) @ TURNS[7]
    truth = pose_at(linear, MOVING.centre_zyx_nm + np.array([50, -300, 210]))
    near = optical_axis_rotations(np.deg2rad(12), np.deg2rad(12), np.deg2rad(12) + 1e-6)
    found = search(truth, [1.1 * r for r in near])
    # at most half a step off in each angle: 1 um across
    assert corner_gap(found[0], truth) < 250
    assert not found[0].is_mirror


@pytest.mark.parametrize("mirrored", [True, False])
def test_a_mirror_is_found_only_when_asked(mirrored):
    truth = pose_at(
        TURNS[4] @ np.diag([-1.0, 1, 1]), MOVING.centre_zyx_nm + np.array([90, 200, -300])
    )
    found = search(truth, TURNS, mirrored=mirrored)
    if mirrored:
        assert found[0].is_mirror
        assert corner_gap(found[0], truth) < 120
        assert max(p.score for p in found if not p.is_mirror) < 0.85 * found[0].score
    else:
        assert not any(p.is_mirror for p in found)
        assert found[0].score < 0.75


def test_a_field_that_leaves_the_volume_is_found_when_the_overlap_allows():
    high = MOVING.corners().max(axis=0)
    # the middle of the fixed field lies just inside a face: half of it is outside
    truth = pose_at(TURNS[2], [MOVING.centre_zyx_nm[0], high[1] - 100, MOVING.centre_zyx_nm[2]])
    blobs = Blobs(MOVING)
    # blobs that cross the face go on beyond it, so what is outside differs from nothing
    fixed = blobs.image(FIXED, truth)
    moving = blobs.image(MOVING)
    found = search_pose(moving, MOVING, fixed, FIXED, TURNS, minimum_overlap=0.4)
    assert corner_gap(found[0], truth) < 150
    assert found[0].score < 0.85  # discounted for the overlap
    strict = search_pose(moving, MOVING, fixed, FIXED, TURNS, minimum_overlap=0.8)
    assert all(corner_gap(p, truth) > 300 for p in strict)


def test_dark_structures_are_found_only_when_asked():
    truth = pose_at(TURNS[5], MOVING.centre_zyx_nm + np.array([-120, 230, 110]))
    found = search(truth, TURNS, sign=-1, both_signs=True)
    assert found[0].sign == -1
    assert corner_gap(found[0], truth) < 120
    bright = search(truth, TURNS, sign=-1)
    assert all(p.sign == 1 for p in bright)
    assert bright[0].score < 0.75 * found[0].score


def test_sections_are_matched_in_their_plane():
    fixed_grid = Grid(
        space=EM, shape_zyx=(1, 33, 29), voxel_size_zyx_nm=(70, 60, 70),
        origin_zyx_nm=(-90, 30, 500),
    )  # fmt: skip
    moving_grid = Grid(
        space=LM, shape_zyx=(1, 60, 56), voxel_size_zyx_nm=(300, 100, 100),
        origin_zyx_nm=(40, -700, 300),
    )  # fmt: skip
    blobs = Blobs(moving_grid, count=110)
    linear = TURNS[3]
    centre = moving_grid.centre_zyx_nm + np.array([0, 640, -510])
    truth = Pose(linear, centre - linear @ fixed_grid.centre_zyx_nm, 1.0)
    found = search_pose(
        blobs.image(moving_grid), moving_grid, blobs.image(fixed_grid, truth), fixed_grid, TURNS
    )
    corners = fixed_grid.corners()
    gap = np.linalg.norm(found[0].apply(corners) - truth.apply(corners), axis=1).max()
    assert gap < 100
    assert found[0].score > 0.9


def test_kept_poses_are_distinct_and_best_first():
    truth = pose_at(TURNS[7], MOVING.centre_zyx_nm)
    found = search(truth, TURNS, keep=7)
    scores = [p.score for p in found]
    assert len(found) == 7
    assert scores == sorted(scores, reverse=True)
    corners = FIXED.corners()
    for i, a in enumerate(found):
        for b in found[:i]:
            gap = a.apply(corners) - b.apply(corners)
            assert np.sqrt((gap**2).sum(axis=1).mean()) > 200


def test_images_without_content_give_nothing():
    blobs = Blobs(MOVING)
    truth = pose_at(np.eye(3), MOVING.centre_zyx_nm)
    empty = np.zeros(FIXED.shape_zyx, np.float32)
    assert search_pose(blobs.image(MOVING), MOVING, empty, FIXED, TURNS[:2]) == []
    nothing = np.zeros(MOVING.shape_zyx, np.float32)
    with np.errstate(invalid="ignore"):
        assert search_pose(nothing, MOVING, blobs.image(FIXED, truth), FIXED, TURNS[:2]) == []
