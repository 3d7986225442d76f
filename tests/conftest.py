"""Shared fixtures: where the shared data are, and tiny asymmetric volumes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

SHARED = Path(os.environ.get("CLEMKIT_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261121)


@pytest.fixture
def shared_data() -> Path:
    """Folder of shared real data; skips where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"shared data folder absent: {folder}")
    return folder


@pytest.fixture
def shared_tools() -> Path:
    """Folder of shared tools; skips where it is absent."""
    folder = SHARED / "tools"
    if not folder.is_dir():
        pytest.skip(f"shared tools folder absent: {folder}")
    return folder
