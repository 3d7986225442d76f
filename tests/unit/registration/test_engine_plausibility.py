"""Poses that tissue does not take lose their score; small overlaps lose their confidence."""

from __future__ import annotations

import numpy as np
import pytest

from clemkit.geometry import Grid, Space
from clemkit.registration.candidates import Candidate
from clemkit.registration.pull import AffineMap
from clemkit.registration.search import pose_confidence

GRID = Grid(space=Space("em"), shape_zyx=(7, 11, 13), voxel_size_zyx_nm=(50, 8, 10),
            origin_zyx_nm=(40.0, -7.0, 300.0))  # fmt: skip


def candidate(*, stretch: float = 1.0, compression: float = 1.0, overlap: float = 1.0) -> Candidate:
    strain = np.diag([stretch - 1.0, 0.0, 0.0])
    same = AffineMap(np.eye(3), np.zeros(3))
    return Candidate(same, 1, 0.8, overlap, strain, compression=compression)


def test_credible_deformations_keep_their_score():
    assert candidate(stretch=1.3, compression=0.3).score == pytest.approx(0.8)
    assert candidate(stretch=1 / 1.3).score == pytest.approx(0.8)


@pytest.mark.parametrize("stretch", [1.75, 1 / 1.75])
def test_stretched_by_three_quarters_is_no_pose(stretch):
    assert candidate(stretch=stretch).score == 0
    assert 0 < candidate(stretch=1.5).score < 0.6


def test_crushed_and_folded_tissue_is_doubted():
    assert candidate(compression=0.1).score == pytest.approx(0.4)
    assert candidate(compression=-0.2).score == 0


def test_a_small_overlap_is_no_confidence():
    assert pose_confidence([candidate()], GRID) == 1
    assert pose_confidence([candidate(overlap=0.4)], GRID) == 0
    assert 0.4 < pose_confidence([candidate(overlap=0.53)], GRID) < 0.6
