"""Handedness, confidence and the prior of the start search."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clemkit.geometry import Grid, Space
from clemkit.registration.candidates import Candidate
from clemkit.registration.features import FixedFeatures
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.pull import AffineMap
from clemkit.registration.search import (
    pose_confidence,
    prefer_proper,
    prior_stiffness,
    search_voxel_nm,
)
from clemkit.registration.settings import Settings

GRID = Grid(
    space=Space("em"),
    shape_zyx=(7, 110, 130),
    voxel_size_zyx_nm=(50, 8, 10),
    origin_zyx_nm=(3, -40, 7),
)


def candidate(score: float, shift_nm: float = 0.0, mirror: bool = False, overlap: float = 1.0):
    linear = np.diag([-1.0 if mirror else 1.0, 1.0, 1.0])
    affine = AffineMap(linear, np.array([0.0, shift_nm, 0.0]))
    return Candidate(affine, 1, score / np.sqrt(overlap), overlap, np.zeros((3, 3)))


def test_score_discounts_partial_overlap():
    assert candidate(0.6, overlap=0.25).score == pytest.approx(0.6)
    assert candidate(0.6, overlap=0.25).correlation == pytest.approx(1.2)


def test_a_mirror_must_be_clearly_better():
    proper, close, clear = (
        candidate(0.6),
        candidate(0.65, mirror=True),
        candidate(0.67, mirror=True),
    )
    ranked, score = prefer_proper([close, proper])
    assert ranked == [proper, close]
    assert score == pytest.approx(0.65)
    assert prefer_proper([clear, proper]) == ([clear, proper], clear.score)
    worse = candidate(0.3, mirror=True)
    assert prefer_proper([proper, worse])[0] == [proper, worse]


def test_handedness_without_a_choice():
    proper, mirror = candidate(0.6), candidate(0.65, mirror=True)
    assert prefer_proper([proper]) == ([proper], None)
    assert prefer_proper([mirror]) == ([mirror], mirror.score)


def test_confidence_is_the_margin_over_the_best_other_place():
    best = candidate(0.8)
    assert pose_confidence([best, candidate(0.2, 5000)], GRID) == 1
    assert pose_confidence([best, candidate(0.64, 5000)], GRID) == pytest.approx(0.15 / 0.3)
    assert pose_confidence([best, candidate(0.79, 5000)], GRID) == 0
    assert pose_confidence([best], GRID) == 1


def test_the_same_place_twice_is_no_rival():
    best = candidate(0.8)
    near = 0.19 * GRID.extent_zyx_nm.max()
    far = 0.21 * GRID.extent_zyx_nm.max()
    assert pose_confidence([best, candidate(0.79, near)], GRID) == 1
    assert pose_confidence([best, candidate(0.79, far)], GRID) == 0


def test_a_mirror_at_the_same_place_is_no_rival_but_one_elsewhere_is():
    proper, symmetric = candidate(0.8), candidate(0.79, mirror=True)
    about_the_middle = 2 * GRID.centre_zyx_nm * [1, 0, 0]
    symmetric = replace(symmetric, affine=AffineMap(symmetric.affine.linear, about_the_middle))
    assert pose_confidence([proper, symmetric], GRID) == 1
    elsewhere = candidate(0.79, 5000, mirror=True)
    assert pose_confidence([proper, elsewhere], GRID) == 0
    assert pose_confidence([elsewhere, candidate(0.78, 9000)], GRID) == 0


def test_low_correlation_is_no_evidence():
    assert pose_confidence([candidate(0.27)], GRID) == 0
    assert pose_confidence([candidate(0.38)], GRID) == pytest.approx(0.5)


def test_prior_stiffness_scales_as_a_variance_and_with_size():
    one = prior_stiffness(GRID, 300)
    assert prior_stiffness(GRID, 300, strain=0.06) == pytest.approx(one / 4)
    double = Grid(space=GRID.space, shape_zyx=GRID.shape_zyx, voxel_size_zyx_nm=(100, 16, 20))
    # eight times the volume, half the curvature
    assert prior_stiffness(double, 300) == pytest.approx(one / 2)


def test_prior_stiffness_matches_the_energy_of_its_wave():
    grid = Grid(space=GRID.space, shape_zyx=(30, 40, 60), voxel_size_zyx_nm=(100,) * 3)
    ffd = FfdLattice(grid=grid, spacing_zyx_nm=(300,) * 3, margin_zyx_nm=(50,) * 3)
    x = ffd.lattice.points()[:, 2] / 3000 * 2 * np.pi
    wave = np.tile(0.03 * 6000 * np.sin(x), 3)
    energy = wave @ (ffd.bending @ wave)
    # a sine holds half the square of its amplitude
    expected = 0.5 * ffd.size / 3
    assert prior_stiffness(grid, ffd.size) * energy == pytest.approx(expected, rel=0.15)


def features(shape, voxel, radius, labelled=True) -> FixedFeatures:
    grid = Grid(space=GRID.space, shape_zyx=shape, voxel_size_zyx_nm=voxel)
    labels = np.zeros(shape, np.int32) if labelled else None
    return FixedFeatures(labels, np.zeros(shape, np.float32), grid, radius, ())


def test_search_voxel_of_grey_images_is_coarser():
    moving = Grid(space=Space("lm"), shape_zyx=(9, 20, 20), voxel_size_zyx_nm=(50, 20, 20))
    for radius, expected in ((1.0, 720 / 28), (100.0, 720 / 16)):
        fixed = features((10, 72, 144), (8, 10, 5), radius, labelled=False)
        assert search_voxel_nm(fixed, moving, Settings()) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("shape", "radius", "expected"),
    [
        ((10, 72, 144), 9.0, 29.7),  # 3.3 radii
        ((10, 72, 144), 1.0, 20.0),  # at most 36 voxels along 720 nm
        ((10, 72, 144), 100.0, 720 / 22),  # at least 22
        ((1, 72, 144), 1.0, 720 / 128),  # a section has more
    ],
)
def test_search_voxel(shape, radius, expected):
    fixed = features(shape, (8, 10, 5), radius)
    moving = Grid(space=Space("lm"), shape_zyx=(9, 20, 20), voxel_size_zyx_nm=(50, 20, 20))
    assert search_voxel_nm(fixed, moving, Settings()) == pytest.approx(expected)
    assert search_voxel_nm(fixed, moving, Settings(search_voxel_nm=77)) == 77
    large = Grid(space=Space("lm"), shape_zyx=(9, 960, 20), voxel_size_zyx_nm=(50, 20, 20))
    assert search_voxel_nm(fixed, large, Settings()) == pytest.approx(100)
