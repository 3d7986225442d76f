"""How densely the rotation sets cover what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from clemkit.registration.rotations import (
    axis_rotation,
    optical_axis_rotations,
    uniform_rotations,
)


def nearest_deg(rotations, targets) -> np.ndarray:
    """Return the angle from each target to the nearest of *rotations*, degrees."""
    a = np.array(rotations).reshape(-1, 9)
    b = np.array(targets).reshape(-1, 9)
    trace = (b @ a.T).max(axis=1)
    return np.rad2deg(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


def random_rotations(rng, count) -> np.ndarray:
    """Return rotations uniform over the group (QR of normal matrices)."""
    q, r = np.linalg.qr(rng.normal(size=(count, 3, 3)))
    q = q * np.sign(np.einsum("nii->ni", r))[:, None, :]
    return q * np.linalg.det(q)[:, None, None]


def test_axis_rotation_turns_by_its_angle_and_keeps_its_axis():
    axis = np.array([0.3, -2.0, 0.7])
    found = axis_rotation(axis, 0.4)
    np.testing.assert_allclose(found @ axis, axis)
    assert np.trace(found) == pytest.approx(1 + 2 * np.cos(0.4))
    np.testing.assert_allclose(found @ axis_rotation(axis, -0.4), np.eye(3), atol=1e-12)


def test_no_tilt_gives_evenly_spaced_turns_about_z():
    found = optical_axis_rotations(np.deg2rad(10), 1.0, 0.0)
    assert len(found) == 36
    angles = np.sort([np.arctan2(m[1, 2], m[1, 1]) for m in found])
    np.testing.assert_allclose(np.diff(angles), np.deg2rad(10))
    assert all(m[0, 0] == pytest.approx(1) for m in found)


def test_a_range_about_z_is_kept():
    found = optical_axis_rotations(0.1, 1.0, 0.0, max_rotation=0.35)
    angles = [np.arctan2(m[1, 2], m[1, 1]) for m in found]
    assert len(found) == 7
    assert max(np.abs(angles)) == pytest.approx(0.3)


def test_every_pose_within_the_tilt_range_is_near_one_of_the_set(rng):
    step, tilt_step, rings = np.deg2rad(8), np.deg2rad(7), 3
    found = optical_axis_rotations(step, tilt_step, rings * tilt_step)
    targets = []
    for _ in range(400):
        tilt = rings * tilt_step * np.sqrt(rng.uniform())
        way = rng.uniform(0, 2 * np.pi)
        axis = np.array([0, np.sin(way), np.cos(way)])
        turn = axis_rotation(np.array([1.0, 0, 0]), rng.uniform(-np.pi, np.pi))
        targets.append(axis_rotation(axis, tilt) @ turn)
    # half a turn step, and the circumradius of a hexagonal cell of tilts, at right angles
    bound = np.rad2deg(np.hypot(step / 2, 0.6 * tilt_step)) + 0.5
    gaps = nearest_deg(found, targets)
    assert gaps.max() < bound
    assert gaps.max() > 0.6 * bound  # the bound says something


def test_tilts_stay_within_the_range():
    found = optical_axis_rotations(0.5, 0.1, 0.25)
    tilts = np.arccos([np.clip(m[0, 0], -1, 1) for m in found])
    assert tilts.max() == pytest.approx(0.2)


@pytest.mark.parametrize("count", [600, 2000])
def test_uniform_rotations_are_well_spread(rng, count):
    found = uniform_rotations(count)
    # angle of a ball that holds the count-th part of the group
    ideal = np.rad2deg((6 * np.pi / count) ** (1 / 3))
    gaps = nearest_deg(found, random_rotations(rng, 1500))
    assert gaps.max() < 1.6 * ideal
    assert gaps.mean() < 0.85 * ideal
    a = np.array(found).reshape(-1, 9)
    trace = a @ a.T
    np.fill_diagonal(trace, -1)
    closest = np.rad2deg(np.arccos(np.clip((trace.max(axis=1) - 1) / 2, -1, 1)))
    assert closest.min() > 0.8 * ideal
