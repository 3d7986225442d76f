"""The engine on real images under a map that is known exactly (shared data, real_cases.py).

Bounds are measured, and widened to about twice, so that another machine's last digits do not
matter; each is also stated in voxels of the moving image.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from clemkit.registration.engine import register

pytestmark = pytest.mark.shared
ROOT = Path(__file__).parents[2]
FOLDERS = {
    "xray-cortex": "xray-cortex",
    "platy-tissues": "platy-em-tissues",
    "nuclei3d": "nuclei3d",
    "ovule3d": "ovule3d",
}


def _real_cases():
    folder = str(ROOT / "benchmarks" / "registration")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    import real_cases

    return real_cases


@pytest.fixture
def shared_set(shared_data):
    """Return a function that skips where a data set is absent."""

    def require(kind: str) -> None:
        folder = shared_data / FOLDERS[kind]
        if not folder.is_dir():
            pytest.skip(f"shared data set absent: {folder}")

    return require


@cache
def _case(kind: str, level: str, seed: int):
    return _real_cases().load_real_case(kind, level, seed)


@cache
def _registered(kind: str, level: str, seed: int):
    """Return the result and its errors (µm) at the held-out points."""
    case = _case(kind, level, seed)
    if kind == "platy-tissues":
        given = {"structures": _real_cases().tissue_structures(case)}
    else:
        given = {"fixed_labels": case.fixed_labels}
    result = register(
        case.fixed, case.moving, settings=_real_cases().case_settings(kind, level), **given
    )
    found = result.fixed_to_moving.apply_points(case.truth_fixed_zyx_nm)
    return result, np.linalg.norm(found - case.truth_moving_zyx_nm, axis=1) / 1000


@pytest.mark.parametrize("kind", list(FOLDERS))
def test_the_truth_maps_like_onto_like(shared_set, kind):
    """Half a voxel or an axis wrong in the case itself would blame the engine."""
    shared_set(kind)
    case = _case(kind, "medium", 101)
    shown = case.fixed if case.fixed_labels is None else case.fixed_labels
    pattern = (shown.read() > 0 if case.fixed_labels else shown.read()).astype(float)
    image = case.moving.read(channel=case.moving_channel).astype(float)

    def alike(shift_nm: float) -> float:
        there = case.moving.grid.to_index(case.truth_moving_zyx_nm + shift_nm)
        here = shown.grid.to_index(case.truth_fixed_zyx_nm)
        a = map_coordinates(pattern, here.T, order=1)
        return float(np.corrcoef(a, map_coordinates(image, there.T, order=1))[0, 1])

    away = 0.08 * float(case.fixed.grid.extent_zyx_nm[1:].mean())
    assert alike(0.0) > 0.5
    assert alike(0.0) > max(alike(away), alike(-away)) + 0.25


@pytest.mark.parametrize(
    ("kind", "level", "median_um", "p95_um"),
    [
        # a box of the cortex in its own warped scan of 2.0 x 1.6 x 1.6 µm voxels: a quarter voxel
        ("xray-cortex", "medium", 0.4, 1.0),
        # four tissues of a larva in any orientation, 4 x 3 x 3 µm voxels: measured 1.7 and 5.1
        ("platy-tissues", "hard", 3.0, 9.0),
        # 0.8 x 0.45 x 0.45 µm voxels; labels and image differ by up to a voxel of 0.5 µm themselves
        ("nuclei3d", "medium", 0.8, 1.6),
        # 0.35 x 0.2 x 0.2 µm voxels, but walls 1 µm wide in the image
        ("ovule3d", "medium", 0.5, 1.2),
    ],
)
def test_found_without_a_start(shared_set, kind, level, median_um, p95_um):
    shared_set(kind)
    result, error_um = _registered(kind, level, 101)
    assert result.status == "ok"
    assert not result.reflection
    assert result.jacobian.folded_fraction == 0
    assert np.median(error_um) < median_um
    assert np.percentile(error_um, 95) < p95_um


# nuclei3d: the best affine map is 0.36 µm off, the deformation begun there ends 0.5 µm off
_BENT_TOO_MUCH = pytest.mark.xfail(
    raises=AssertionError,
    reason="bending leaves the best affine map for a worse one; held-out error does not see it",
)


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        ("xray-cortex", "medium"),
        ("platy-tissues", "hard"),
        pytest.param("nuclei3d", "medium", marks=_BENT_TOO_MUCH),
        pytest.param("ovule3d", "medium", marks=_BENT_TOO_MUCH),
    ],
)
def test_the_stated_upper_end_holds(shared_set, kind, level):
    """The true median error is below the upper end of the stated 90 % interval."""
    shared_set(kind)
    result, error_um = _registered(kind, level, 101)
    assert np.median(error_um) < result.error_estimate.high_nm / 1000
    # nor is it so wide that it says nothing
    assert result.error_estimate.high_nm / 1000 < 8 * np.median(error_um)
