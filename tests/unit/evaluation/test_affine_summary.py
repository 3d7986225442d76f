from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clemkit.errors import ArgumentError, NotInvertibleError
from clemkit.evaluation.affine_summary import AffineSummary, decompose_affine


def build(**parts) -> AffineSummary:
    plain = {
        "shears": (0.0, 0.0, 0.0),
        "scales_zyx": (1.0, 1.0, 1.0),
        "mirrored_axis": None,
        "rotation_z_deg": 0.0,
        "tilt_deg": 0.0,
        "tilt_azimuth_deg": 0.0,
        "translation_zyx_nm": (0.0, 0.0, 0.0),
    }
    return AffineSummary(**(plain | parts))


@settings(max_examples=200, deadline=None)
@given(arrays(np.float64, (3, 4), elements=st.floats(-10, 10, width=32)))
def test_the_parts_make_up_the_matrix(values) -> None:
    matrix = np.vstack([values, [0, 0, 0, 1]])
    if np.linalg.cond(matrix[:3, :3]) > 1e6:
        return
    summary = decompose_affine(matrix)
    np.testing.assert_allclose(summary.matrix(), matrix, atol=1e-6)
    assert min(summary.scales_zyx) > 0
    assert summary.reflection == (np.linalg.det(matrix[:3, :3]) < 0)


@settings(max_examples=100, deadline=None)
@given(
    st.floats(-179, 179),
    st.floats(0.5, 120),
    st.floats(-179, 179),
    st.tuples(*[st.floats(0.3, 3)] * 3),
    st.tuples(*[st.floats(-0.5, 0.5)] * 3),
)
def test_parts_put_in_come_out(turn, tilt, azimuth, scales, shears) -> None:
    built = build(
        rotation_z_deg=turn,
        tilt_deg=tilt,
        tilt_azimuth_deg=azimuth,
        scales_zyx=scales,
        shears=shears,
        translation_zyx_nm=(10.0, -20.0, 30.0),
    )
    found = decompose_affine(built.matrix())
    assert found.mirrored_axis is None
    for name in ("rotation_z_deg", "tilt_deg", "tilt_azimuth_deg"):
        assert getattr(found, name) == pytest.approx(getattr(built, name), abs=1e-6)
    for name in ("scales_zyx", "shears", "translation_zyx_nm"):
        assert getattr(found, name) == pytest.approx(getattr(built, name), abs=1e-8)


def test_a_turn_takes_x_towards_y() -> None:
    quarter = np.eye(4)
    quarter[1:3, 1:3] = [[0, 1], [-1, 0]]  # x -> y, y -> -x
    np.testing.assert_array_equal(quarter @ [0, 0, 1, 1], [0, 1, 0, 1])
    assert decompose_affine(quarter).rotation_z_deg == pytest.approx(90.0)


def test_a_tilt_leans_the_optical_axis_towards_its_azimuth() -> None:
    axis = build(tilt_deg=30.0, tilt_azimuth_deg=0.0).matrix() @ [1, 0, 0, 1]
    np.testing.assert_allclose(axis[:3], [np.cos(np.pi / 6), 0.0, 0.5], atol=1e-12)


@pytest.mark.parametrize("axis", ["z", "y", "x"])
def test_a_plain_mirror_is_reported_on_its_own_axis(axis: str) -> None:
    matrix = np.eye(4)
    index = "zyx".index(axis)
    matrix[index, index] = -2.0
    found = decompose_affine(matrix)
    assert found.mirrored_axis == axis
    assert found.scales_zyx[index] == pytest.approx(2.0)
    assert (found.rotation_z_deg, found.tilt_deg) == pytest.approx((0.0, 0.0))


def test_upside_down_is_a_tilt_not_a_mirror() -> None:
    found = decompose_affine(np.diag([-1.0, 1.0, -1.0, 1.0]))
    assert not found.reflection
    assert found.tilt_deg == pytest.approx(180.0)
    np.testing.assert_allclose(found.matrix(), np.diag([-1.0, 1.0, -1.0, 1.0]), atol=1e-12)


def test_what_is_no_affine_map_is_refused() -> None:
    with pytest.raises(NotInvertibleError):
        decompose_affine(np.diag([1.0, 0.0, 1.0, 1.0]))
    for bad in (np.eye(3), np.full((4, 4), np.nan), np.ones((4, 4))):
        with pytest.raises(ArgumentError, match="4×4"):
            decompose_affine(bad)
