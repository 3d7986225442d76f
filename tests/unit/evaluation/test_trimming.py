"""Trimming targets against plane geometry, and block faces found in noise under debris."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clemkit.errors import ArgumentError, DataError
from clemkit.evaluation.block_face import find_block_face, fit_plane
from clemkit.evaluation.trimming import block_frame, knife_setting, trimming_target
from clemkit.geometry import Grid, Space

UP_IS_OUT = np.array([-1.0, 0.0, 0.0])  # air at small z, as in most scans


def plane_points(normal, through, rng, count=60, spread=50_000.0, noise=0.0):
    """Return points of a plane with some noise across it."""
    normal = np.asarray(normal) / np.linalg.norm(normal)
    points = rng.uniform(-spread, spread, (count, 3))
    points -= np.outer(points @ normal, normal)
    return points + through + np.outer(rng.normal(0, noise, count), normal)


def tilted(out, right, up, knife_deg, tilt_deg):
    """Return the normal whose plane a knife cuts that is set to these angles."""
    k, t = np.deg2rad(knife_deg), np.deg2rad(tilt_deg)
    return math.sin(k) * right + math.cos(k) * (math.sin(t) * up + math.cos(t) * out)


@pytest.fixture
def frame(rng):
    """A face that leans in all directions, off the origin."""
    through = np.array([900.0, -30_000.0, 77_000.0])
    points = plane_points([-1.0, 0.15, -0.08], through, rng)
    face = fit_plane(points, towards_zyx=UP_IS_OUT, sigma_nm=1e-6)
    edge = through + np.array([[0.0, 20_000.0, -40_000.0], [0.0, 26_000.0, 35_000.0]])
    return block_frame(face, edge_zyx_nm=edge)


def test_the_frame_is_right_handed_as_seen_from_the_knife(frame):
    right, up, out = (v[::-1] for v in (frame.right_zyx, frame.up_zyx, frame.out_zyx))
    assert np.allclose(np.cross(right, up), out)
    plain = fit_plane([[0, 0, 0], [0, 9, 0], [0, 0, 9]], towards_zyx=UP_IS_OUT, sigma_nm=1.0)
    seen = block_frame(plain)  # looking along +z with y down: right is x, up is -y
    assert np.allclose(seen.right_zyx, [0, 0, 1])
    assert np.allclose(seen.up_zyx, [0, -1, 0])
    assert np.allclose(seen.out_zyx, [-1, 0, 0])


def test_depth_and_lateral_position_are_those_of_the_construction(frame):
    target = (
        frame.origin_zyx_nm
        + 12_000 * frame.right_zyx
        - 7_000 * frame.up_zyx
        - 31_000 * frame.out_zyx
    )
    found = trimming_target(frame, target, median_error_nm=1538.1722544550522)
    assert found.right_nm.value == pytest.approx(12_000)
    assert found.up_nm.value == pytest.approx(-7_000)
    assert found.depth_nm.value == pytest.approx(31_000)
    assert found.depth_nm.high - found.depth_nm.value == pytest.approx(1645, rel=1e-3)
    assert found.setting is None
    above = trimming_target(frame, frame.origin_zyx_nm + frame.out_zyx, median_error_nm=0.0)
    assert above.depth_nm.value == pytest.approx(-1)


@pytest.mark.parametrize(("knife", "tilt"), [(0, 0), (8, 0), (0, -6), (-12.5, 9.25), (25, -20)])
def test_angles_come_back(frame, rng, knife, tilt):
    normal = tilted(frame.out_zyx, frame.right_zyx, frame.up_zyx, knife, tilt)
    for sign in (1, -1):  # a plane has no front
        wanted = fit_plane(
            plane_points(normal, [5e4, 0.0, 0.0], rng), towards_zyx=sign * normal, sigma_nm=1e-6
        )
        found = knife_setting(frame, wanted)
        assert found.knife_deg.value == pytest.approx(knife, abs=1e-6)
        assert found.tilt_deg.value == pytest.approx(tilt, abs=1e-6)
        total = math.degrees(math.acos(math.cos(np.deg2rad(knife)) * math.cos(np.deg2rad(tilt))))
        assert found.total_deg == pytest.approx(total, abs=1e-6)


def test_signs_mean_what_is_said(frame, rng):
    """Positive angles: the wanted plane lies deeper on the right, and at the top."""
    normal = tilted(frame.out_zyx, frame.right_zyx, frame.up_zyx, 10, 4)
    centre = frame.origin_zyx_nm - 20_000 * frame.out_zyx

    def depth(place):
        along = ((centre - place) @ normal) / (-frame.out_zyx @ normal)
        return frame.to_block([place - along * frame.out_zyx])[0, 2]

    there = frame.origin_zyx_nm
    assert depth(there + 1000 * frame.right_zyx) > depth(there - 1000 * frame.right_zyx)
    assert depth(there + 1000 * frame.up_zyx) > depth(there - 1000 * frame.up_zyx)


def test_the_approach_counts_from_the_first_touch(rng):
    corners = np.array([[0.0, y, x] for y in (0.0, 60_000.0) for x in (0.0, 100_000.0)])
    face = fit_plane(corners, towards_zyx=UP_IS_OUT, sigma_nm=1e-6)
    frame = block_frame(face)
    normal = tilted(frame.out_zyx, frame.right_zyx, frame.up_zyx, 10, 0)
    wanted = fit_plane(plane_points(normal, [0, 0, 0], rng), towards_zyx=normal, sigma_nm=1e-6)
    target = [40_000.0, 30_000.0, 50_000.0]  # below the middle
    found = trimming_target(frame, target, median_error_nm=0.0, wanted=wanted)
    angle = np.deg2rad(10)
    # the plane is deeper on the right, so the knife meets the right edge first
    assert found.approach_nm.value == pytest.approx(
        50_000 * math.sin(angle) + 40_000 * math.cos(angle), rel=1e-6
    )
    flat = fit_plane(corners, towards_zyx=UP_IS_OUT, sigma_nm=1e-6)
    straight = trimming_target(frame, target, median_error_nm=0.0, wanted=flat)
    assert straight.approach_nm.value == pytest.approx(straight.depth_nm.value)


def test_intervals_cover_the_truth(rng):
    """Noisy picks and targets: 90 % intervals hold the truth in about 90 % of draws."""
    face_normal = np.array([-1.0, 0.1, 0.05])
    face_normal /= np.linalg.norm(face_normal)
    origin = np.array([0.0, 0.0, 0.0])
    exact = fit_plane(plane_points(face_normal, origin, rng), towards_zyx=UP_IS_OUT, sigma_nm=1e-6)
    true_frame = block_frame(exact, origin_zyx_nm=origin)
    normal = tilted(true_frame.out_zyx, true_frame.right_zyx, true_frame.up_zyx, 7, -5)
    target = origin - 40_000 * true_frame.out_zyx + 30_000 * true_frame.right_zyx
    inside = {"depth": 0, "right": 0, "knife": 0, "tilt": 0}
    draws = 400
    for _ in range(draws):
        face = fit_plane(
            plane_points(face_normal, origin, rng, 12, noise=900.0), towards_zyx=UP_IS_OUT,
            sigma_nm=900.0,
        )  # fmt: skip
        wanted = fit_plane(
            plane_points(normal, target, rng, 9, noise=1500.0), towards_zyx=normal, sigma_nm=1500.0
        )
        found = trimming_target(
            block_frame(face, origin_zyx_nm=origin),
            target + rng.normal(0, 1000, 3),
            median_error_nm=1538.17,
            wanted=wanted,
        )
        truth = {"depth": 40_000, "right": 30_000, "knife": 7, "tilt": -5}
        seen = {"depth": found.depth_nm, "right": found.right_nm, "knife": found.setting.knife_deg,
                "tilt": found.setting.tilt_deg}  # fmt: skip
        for name, figure in seen.items():
            inside[name] += figure.low <= truth[name] <= figure.high
    assert all(0.84 < count / draws < 0.95 for count in inside.values()), inside


def test_a_heavy_tail_of_the_error_widens_the_interval(frame):
    plain = trimming_target(frame, frame.origin_zyx_nm, median_error_nm=100.0)
    heavy = trimming_target(frame, frame.origin_zyx_nm, median_error_nm=100.0, p90_error_nm=400.0)
    assert heavy.right_nm.high > 2 * plain.right_nm.high


def make_block(rng, noise=12.0, debris=6, side_up=True):
    """A trapezoid of resin in air: 100 grey values against 20, tilted face, flanks, debris."""
    grid = Grid(space=Space("ct"), shape_zyx=(40, 66, 78), voxel_size_zyx_nm=(900.0, 800.0, 700.0),
                origin_zyx_nm=(5000.0, -12_000.0, 300.0))  # fmt: skip
    points = grid.points()
    normal = np.array([-1.0, 0.12, -0.07])
    normal /= np.linalg.norm(normal)
    through = grid.centre_zyx_nm + np.array([-6000.0, 0.0, 0.0])
    below = -(points - through) @ normal
    away = np.abs(points[:, 1:] - grid.centre_zyx_nm[1:])
    half = np.array([19_000.0, 20_000.0]) + 0.5 * np.maximum(below, 0)[:, None]
    edge = np.minimum(below, (half - away).min(axis=1))
    resin = 1 / (1 + np.exp(-np.clip(edge / 300.0, -40, 40)))
    for _ in range(debris):
        where = through + rng.uniform(-1, 1, 3) * [0.0, 15_000.0, 15_000.0] + 2500 * normal
        resin = np.maximum(resin, np.linalg.norm(points - where, axis=1) < 2800)
    values = 20 + 80 * resin + rng.normal(0, noise, len(points))
    return values.reshape(grid.shape_zyx), grid, normal, through


def test_a_face_is_found_under_noise_and_debris(rng):
    volume, grid, normal, through = make_block(rng)
    found = find_block_face(volume, grid, side="z-")
    angle = math.degrees(math.acos(min(1.0, float(found.normal_zyx @ normal))))
    assert angle < 0.35
    offset = float((found.point_zyx_nm - through) @ normal)
    assert abs(offset) < 150  # a sixth of a voxel
    assert abs(offset) < 4 * found.offset_sigma_nm
    assert 0.3 < found.used_fraction < 1
    reach = np.ptp(found.points_zyx_nm, axis=0)[1:]
    assert np.allclose(reach, [38_000, 40_000], atol=3000)  # the face, not the flanks


def test_any_side_and_bright_air(rng):
    volume, grid, normal, _ = make_block(rng)
    turned = np.ascontiguousarray(volume.transpose(2, 0, 1)[:, ::-1])  # (x, -z, y)
    voxel = grid.voxel_size_zyx_nm
    other = Grid(space=grid.space, shape_zyx=turned.shape,
                 voxel_size_zyx_nm=(voxel[2], voxel[0], voxel[1]))  # fmt: skip
    found = find_block_face(120 - turned, other, side="y+", air_is_dark=False)
    assert found.normal_zyx @ [normal[2], -normal[0], normal[1]] > math.cos(np.deg2rad(0.35))


def test_a_volume_without_air_is_refused(rng):
    volume, grid, _, _ = make_block(rng)
    lower = volume[20:]
    inside = Grid(space=grid.space, shape_zyx=lower.shape, voxel_size_zyx_nm=grid.voxel_size_zyx_nm)
    with pytest.raises(DataError, match="expected air"):
        find_block_face(lower, inside, side="z-", threshold=-50.0)
    with pytest.raises(ArgumentError, match="side"):
        find_block_face(volume, grid, side="up")
    with pytest.raises(ArgumentError, match="shape"):
        find_block_face(volume[:5], grid, side="z-")


def test_a_rough_surface_is_no_face(rng):
    grid = Grid(space=Space("ct"), shape_zyx=(60, 40, 44), voxel_size_zyx_nm=(900.0, 800.0, 700.0))
    heights = rng.integers(8, 50, (20, 22)).repeat(2, 0).repeat(2, 1)
    volume = 100.0 * (np.arange(60)[:, None, None] > heights)
    with pytest.raises(DataError, match="columns share"):
        find_block_face(volume, grid, side="z-")


def test_planes_need_points(frame, rng):
    with pytest.raises(ArgumentError, match="at least four"):
        fit_plane(np.eye(3), towards_zyx=UP_IS_OUT)
    with pytest.raises(ArgumentError, match="line"):
        fit_plane([[0, 0, 0], [1, 1, 1], [2, 2, 2]], towards_zyx=UP_IS_OUT, sigma_nm=1.0)
    with pytest.raises(ArgumentError, match="along the face"):
        block_frame(frame.face, edge_zyx_nm=[[0, 0, 0], frame.out_zyx])
    across = fit_plane(
        plane_points(frame.right_zyx, [0, 0, 0], rng), towards_zyx=frame.right_zyx, sigma_nm=1.0
    )
    with pytest.raises(ArgumentError, match="across the face"):
        knife_setting(frame, across)
    with pytest.raises(ArgumentError, match="error"):
        trimming_target(frame, [0, 0, 0], median_error_nm=math.nan)
