from __future__ import annotations

import numpy as np
import pytest

from clemkit.errors import ArgumentError
from clemkit.geometry import Box
from clemkit.testing import XraySpec, make_xray_phantom
from clemkit.testing.xray import _draw_truth, _mapped_lattice


@pytest.fixture(scope="module")
def phantom():
    # a dense stack of labels is wanted, so the block is larger than the smallest one
    return make_xray_phantom(
        XraySpec.small(
            6,
            em_size_zyx_nm=(24000.0, 30000.0, 33000.0),
            block_size_zyx_nm=(60000.0, 80000.0, 90000.0),
            rotation_max_deg=180.0,
            ct_signal_to_noise=6.0,
        )
    )


def ct_values(phantom, points):
    index = np.rint(phantom.ct.grid.to_index(phantom.truth.apply_points(points))).astype(int)
    return phantom.ct.data[tuple(index.T)].astype(float)


def test_block_holds_the_em_volume(phantom):
    assert phantom.ct.grid.contains(phantom.truth.apply_points(phantom.em.grid.corners())).all()
    assert 0.01 < phantom.info["block_share"] < 0.1
    assert len(set(phantom.ct.grid.shape_zyx)) == 3
    assert phantom.ct.modality == "xray_ct"


def test_em_nuclei_are_dark_in_the_ct_where_the_truth_says(phantom):
    labels = phantom.em_nuclei.data
    assert len(np.unique(labels)) > 3
    grid = phantom.em.grid
    inside = grid.to_physical(np.argwhere(labels > 0)[::7].astype(float))
    free = (labels == 0) & (phantom.em_vessels.data == 0)
    outside = grid.to_physical(np.argwhere(free)[::31].astype(float))
    dark, bright = ct_values(phantom, inside), ct_values(phantom, outside)
    assert dark.mean() < bright.mean() - 0.5 * bright.std()


def test_same_nuclei_elsewhere_are_not(phantom):
    # the control of the test above: shifted by 9 um, the same voxels show plain tissue
    grid = phantom.em.grid
    inside = grid.to_physical(np.argwhere(phantom.em_nuclei.data > 0)[::7].astype(float))
    right = ct_values(phantom, inside).mean()
    wrong = ct_values(phantom, inside + np.array([0.0, 9000.0, 0.0])).mean()
    assert right < wrong


def test_heldout_points_avoid_what_registration_sees(phantom):
    pairs = phantom.heldout
    index = np.rint(phantom.em.grid.to_index(pairs.fixed.points_zyx_nm)).astype(int)
    assert len(pairs) > 300
    assert (phantom.em_vessels.data[tuple(index.T)] == 0).all()
    np.testing.assert_allclose(
        phantom.truth.apply_points(pairs.fixed.points_zyx_nm), pairs.moving.points_zyx_nm
    )


def test_interpolated_view_agrees_with_the_truth():
    rng = np.random.default_rng(2)
    truth, em_grid, _, _ = _draw_truth(rng, XraySpec.for_level("hard", 2))
    box = em_grid.crop(Box((3, 5, 7), (24, 26, 40)))
    fast = _mapped_lattice(truth, box, 4).reshape(-1, 3)
    error = np.linalg.norm(fast - truth.apply_points(box.points()), axis=1)
    assert error.max() < 5.0


def test_same_seed_same_bytes():
    a, b = make_xray_phantom(XraySpec.small(9)), make_xray_phantom(XraySpec.small(9))
    assert np.array_equal(a.em.data, b.em.data)
    assert np.array_equal(a.ct.data, b.ct.data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"em_size_zyx_nm": (100000.0, 100000.0, 100000.0)}, "at most 20 %"),
        ({"scale_max": 0.4}, "scale_max < 0.3"),
        ({"ct_voxel_zyx_nm": (500.0, -500.0, 500.0)}, "values > 0"),
        ({"family": "none"}, "mixed"),
    ],
)
def test_nonsense_is_refused(change, message):
    with pytest.raises(ArgumentError, match=message):
        XraySpec(**change)
