"""A tiny asymmetric volume, and its grid."""

from __future__ import annotations

import numpy as np
import pytest

from clemkit.geometry import Grid, Space
from clemkit.volumes import Volume

SHAPE = (7, 11, 13)
VOXEL = (50.0, 8.0, 10.0)
ORIGIN = (100.0, -20.0, 3.5)


@pytest.fixture
def cube(rng: np.random.Generator) -> np.ndarray:
    """Random uint8 voxels, (7, 11, 13)."""
    return rng.integers(0, 256, SHAPE, dtype=np.uint8)


@pytest.fixture
def grid() -> Grid:
    """Anisotropic, off-zero origin."""
    return Grid(space=Space("em"), shape_zyx=SHAPE, voxel_size_zyx_nm=VOXEL, origin_zyx_nm=ORIGIN)


@pytest.fixture
def volume(cube: np.ndarray, grid: Grid) -> Volume:
    """The cube on its grid."""
    return Volume(data=cube, grid=grid, modality="em")
