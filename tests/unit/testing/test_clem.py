from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from clemkit.errors import ArgumentError
from clemkit.testing import PhantomSpec, make_clem_phantom
from clemkit.testing.field_draws import minimum_determinant
from clemkit.testing.rendering import splat


@pytest.fixture(scope="module")
def phantom():
    return make_clem_phantom(PhantomSpec.small(3))


def lm_values(volume, channel, points):
    index = np.rint(volume.grid.to_index(points)).astype(int)
    return volume.read(channel=channel)[tuple(index.T)].astype(float)


def test_sizes_are_unequal_and_spaces_named(phantom):
    assert phantom.em.grid.shape_zyx == (30, 75, 88)
    assert len(set(phantom.lm.grid.shape_zyx)) == 3
    assert (phantom.em.grid.space.name, phantom.lm.grid.space.name) == ("em", "lm")
    assert phantom.lm.channels == ("mitochondria", "nuclei")
    assert phantom.em.dtype == np.uint8
    assert phantom.lm.dtype == np.uint16
    assert phantom.lm_heldout.grid == phantom.lm.grid


def test_mitochondria_light_lies_where_the_truth_puts_them(phantom):
    # labelled voxels pushed by the truth and blurred must look like the LM channel around them
    labels = phantom.em_mitochondria_true
    points = labels.grid.to_physical(np.argwhere(labels.data > 0).astype(float))
    pushed = splat(phantom.lm.grid, phantom.truth.apply_points(points), np.ones(len(points)))
    sigma = np.array([360.0, 125.0, 125.0]) / phantom.lm.grid.voxel_size_zyx_nm
    pushed = gaussian_filter(pushed, sigma)
    inside = labels.grid.points()
    inside = inside[::37]
    moved = phantom.truth.apply_points(inside)
    index = np.unique(np.rint(phantom.lm.grid.to_index(moved)).astype(int), axis=0)
    seen = phantom.lm.data[0][tuple(index.T)].astype(float)
    assert np.corrcoef(pushed[tuple(index.T)], seen)[0, 1] > 0.6


def test_fully_labelled_gaussian_light_correlates_closely():
    clean = make_clem_phantom(
        PhantomSpec.small(
            5, unlabelled_fraction=0.0, psf="gaussian", psf_widening_max=0.0, peak_photons=300.0
        )
    )
    labels, grid = clean.em_mitochondria_true, clean.lm.grid
    points = labels.grid.to_physical(np.argwhere(labels.data > 0).astype(float))
    pushed = splat(grid, clean.truth.apply_points(points), np.ones(len(points)))
    pushed = gaussian_filter(pushed, np.array([360.0, 125.0, 125.0]) / grid.voxel_size_zyx_nm)
    core = labels.grid.points().reshape(*labels.grid.shape_zyx, 3)[8:-8, 8:-8, 8:-8].reshape(-1, 3)
    index = np.rint(grid.to_index(clean.truth.apply_points(core))).astype(int)
    index = np.unique(index, axis=0)
    seen = clean.lm.data[0][tuple(index.T)].astype(float)
    assert np.corrcoef(pushed[tuple(index.T)], seen)[0, 1] > 0.8


def test_nuclei_and_heldout_points_are_bright_in_their_channels(phantom):
    inside = phantom.em_nuclei.grid.to_physical(
        np.argwhere(phantom.em_nuclei.data > 0)[::50].astype(float)
    )
    outside = phantom.em_nuclei.grid.to_physical(
        np.argwhere(phantom.em_nuclei.data == 0)[::50].astype(float)
    )
    truth = phantom.truth
    bright = lm_values(phantom.lm, 1, truth.apply_points(inside))
    dark = lm_values(phantom.lm, 1, truth.apply_points(outside))
    assert np.median(bright) > 2 * np.median(dark)
    er = np.array([name.startswith("er") for name in phantom.heldout.ids])
    at = lm_values(phantom.lm_heldout, 0, phantom.heldout.moving.points_zyx_nm[er])
    assert np.mean(at) > 1.5 * np.mean(phantom.lm_heldout.data)


def test_heldout_pairs_obey_the_truth_and_the_block(phantom):
    pairs = phantom.heldout
    assert phantom.em.grid.contains(pairs.fixed.points_zyx_nm).all()
    assert phantom.lm.grid.contains(pairs.moving.points_zyx_nm).all()
    np.testing.assert_allclose(
        phantom.truth.apply_points(pairs.fixed.points_zyx_nm), pairs.moving.points_zyx_nm
    )
    kinds = {name.split("-")[0] for name in pairs.ids}
    assert {"er", "envelope"} <= kinds <= {"er", "envelope", "membrane"}
    assert sum(name.startswith("er") for name in pairs.ids) > 50
    # none of them may lie in a mitochondrion more often than the ER touches one
    index = np.rint(phantom.em.grid.to_index(pairs.fixed.points_zyx_nm)).astype(int)
    assert (phantom.em_mitochondria_true.data[tuple(index.T)] > 0).mean() < 0.15


def test_membranes_are_dark_and_resin_is_bright(phantom):
    grey = phantom.em.data.astype(float)
    mito = phantom.em_mitochondria_true.data > 0
    cytosol = (phantom.em_cells.data > 0) & ~mito & (phantom.em_nuclei.data == 0)
    assert grey[mito].mean() < grey[cytosol].mean() - 20


def test_truth_does_not_fold(phantom):
    assert minimum_determinant(list(phantom.truth.fields), phantom.em.grid.points()[::11]) > 0.3
    assert phantom.info["jacobian_min"] > 0.3


def test_same_seed_same_bytes_other_seed_others(phantom):
    again = make_clem_phantom(PhantomSpec.small(3))
    for a, b in ((phantom.em, again.em), (phantom.lm, again.lm)):
        assert np.array_equal(a.data, b.data)
    assert np.array_equal(phantom.em_mitochondria.data, again.em_mitochondria.data)
    assert again.info == phantom.info
    other = make_clem_phantom(PhantomSpec.small(4))
    assert not np.array_equal(other.em.data, phantom.em.data)


def test_a_changed_camera_leaves_cells_and_truth_alone(phantom):
    dim = make_clem_phantom(PhantomSpec.small(3, peak_photons=20.0, psf="haze"))
    assert np.array_equal(dim.em.data, phantom.em.data)
    assert np.array_equal(dim.heldout.moving.points_zyx_nm, phantom.heldout.moving.points_zyx_nm)
    assert not np.array_equal(dim.lm.data, phantom.lm.data)


def test_flip_mirrors_the_map():
    flipped = make_clem_phantom(PhantomSpec.small(3, z_flip=True))
    assert np.linalg.det(flipped.truth.linear_zyx) < 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"em_voxel_zyx_nm": (0.0, 80.0, 80.0)}, "values > 0"),
        ({"em_size_zyx_nm": (300.0, 6000.0, 6000.0)}, "at least 8 voxels"),
        ({"unlabelled_fraction": 1.2}, "0 <= value < 1"),
        ({"shrinkage_range": (0.3, 0.1)}, "low <= high"),
        ({"family": "bspline"}, "rbf, swelling, shear, tear, mixed"),
        ({"psf": "airy"}, "gaussian, asymmetric, haze"),
        ({"tilt_max_deg": -1.0}, ">= 0"),
        ({"field_scale_nm": 0.0}, "field_scale_nm"),
        ({"lm_field_factor": 0.5}, "lm_field_factor"),
        ({"seed": -1}, "seed"),
        ({"cell_spacing_nm": 100.0}, "cell_spacing_nm"),
        ({"peak_photons": 0.0}, "peak_photons"),
    ],
)
def test_nonsense_is_refused(change, message):
    with pytest.raises(ArgumentError, match=message):
        PhantomSpec(**change)


def test_levels_get_harder():
    easy, medium, hard = (PhantomSpec.for_level(name) for name in ("easy", "medium", "hard"))
    assert easy.field_rms_nm < medium.field_rms_nm < hard.field_rms_nm
    assert easy.field_scale_nm > medium.field_scale_nm > hard.field_scale_nm
    assert easy.peak_photons > medium.peak_photons > hard.peak_photons
    assert hard.rotation_max_deg == 180
    with pytest.raises(ArgumentError, match="easy, medium, hard"):
        PhantomSpec.for_level("insane")
