from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from clemkit.errors import ArgumentError
from clemkit.geometry import Grid, Space
from clemkit.testing import LabelLmSpec, lm_from_labels

GRID = Grid(
    space=Space("em"),
    shape_zyx=(14, 70, 90),
    voxel_size_zyx_nm=(150.0, 90.0, 100.0),
    origin_zyx_nm=(-700.0, 4000.0, 11000.0),
)


def blobs(seed=0):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=GRID.shape_zyx), 2.5)
    return ndimage.label(noise > 1.2 * noise.std())[0]


@pytest.fixture(scope="module")
def phantom():
    return lm_from_labels(blobs(), GRID, LabelLmSpec(seed=4, psf="gaussian"))


def mean_at(volume, points, channel=0):
    index = np.rint(volume.grid.to_index(points)).astype(int)
    return volume.read(channel=channel)[tuple(index.T)].astype(float).mean()


def test_shown_objects_shine_and_dropped_ones_shine_elsewhere(phantom):
    labels = phantom.em_mitochondria.data
    dropped = np.array([name.startswith("dropped") for name in phantom.heldout.ids])
    moving = phantom.heldout.moving.points_zyx_nm
    every = GRID.to_physical(np.argwhere(labels > 0).astype(float))
    all_objects = mean_at(phantom.lm, phantom.truth.apply_points(every))
    assert mean_at(phantom.lm, moving[dropped]) < 0.6 * all_objects
    assert mean_at(phantom.lm_heldout, moving[dropped]) > 2 * mean_at(
        phantom.lm_heldout, moving[~dropped]
    )
    assert all_objects > 1.5 * phantom.lm.data.mean()


def test_whole_object_is_in_the_field(phantom):
    every = GRID.to_physical(np.argwhere(phantom.em_mitochondria.data > 0).astype(float))
    assert phantom.lm.grid.contains(phantom.truth.apply_points(every)).all()


def test_drawn_figures_stay_in_the_stated_ranges():
    for seed in range(4):
        spec = LabelLmSpec(seed=seed, z_flip=seed == 2)
        info = (made := lm_from_labels(blobs(seed), GRID, spec)).info
        assert 0.75 < min(info["scale_zyx"]) < max(info["scale_zyx"]) < 1.36
        assert 0.08 <= info["dropped"] / info["objects"] <= 0.42
        assert info["jacobian_min"] > 0.3
        assert (np.linalg.det(made.truth.linear_zyx) < 0) == (seed == 2)


def test_labels_are_not_changed_and_the_seed_decides():
    labels = blobs()
    before = labels.copy()
    a, b = (lm_from_labels(labels, GRID, LabelLmSpec(seed=s)) for s in (7, 7))
    assert np.array_equal(labels, before)
    assert np.array_equal(a.lm.data, b.lm.data)
    assert not np.array_equal(
        a.heldout.moving.points_zyx_nm,
        lm_from_labels(labels, GRID, LabelLmSpec(seed=8)).heldout.moving.points_zyx_nm,
    )


def test_bad_labels_are_refused():
    with pytest.raises(ArgumentError, match="found float64"):
        lm_from_labels(np.zeros(GRID.shape_zyx), GRID)
    with pytest.raises(ArgumentError, match="at least two labelled objects; found 0"):
        lm_from_labels(np.zeros(GRID.shape_zyx, int), GRID)
    with pytest.raises(ArgumentError, match="of shape"):
        lm_from_labels(np.zeros((3, 4, 5), int), GRID)


@pytest.mark.parametrize(
    "change",
    [
        {"scale_range": (0.0, 1.0)},
        {"dropped_fraction_range": (0.4, 0.1)},
        {"field_fraction_range": (0.1, 1.5)},
        {"lm_voxel_zyx_nm": (300.0, 0.0, 100.0)},
        {"psf_fwhm_axial_nm": 0.0},
        {"false_fraction": 1.0},
    ],
)
def test_nonsense_is_refused(change):
    with pytest.raises(ArgumentError, match=next(iter(change)).split("_")[0]):
        LabelLmSpec(**change)
