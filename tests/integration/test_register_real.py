"""The engine on real images (shared data): each bound is one that a user can quote.

Bounds come from what the data sets' own manual or shipped transforms reach, or from the
simulation's known truth; sources are named at each test.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

from clemkit.geometry import Space
from clemkit.registration.engine import register
from clemkit.registration.settings import Settings
from clemkit.transforms import Affine
from clemkit.volumes import Volume, open_volume
from clemkit.warping import warp_array

pytestmark = pytest.mark.shared
ROOT = Path(__file__).parents[2]


def _correlation(fixed: Volume, moving: Volume, transform) -> float:
    warped = warp_array(
        moving.read().astype(np.float32), moving.grid, fixed.grid, transform, fill=-1
    )
    inside = warped >= 0
    return float(np.corrcoef(fixed.read()[inside].astype(float), warped[inside])[0, 1])


def _median_um(transform, fixed_points, moving_points) -> float:
    found = transform.apply_points(fixed_points)
    return float(np.median(np.linalg.norm(found - moving_points, axis=1))) / 1000


def _benchmark_cases():
    folder = str(ROOT / "benchmarks" / "registration")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    import cases

    return cases


@pytest.mark.slow
def test_platynereis_sbem_to_xray_from_segmented_neuropil(shared_data):
    """Better than the manual similarity (Dice 0.39) and the shipped affine (Dice 0.54)."""
    folder = shared_data / "platy-sbem-xray"

    def mask(name: str, space: str, modality) -> tuple[Volume, Volume]:
        volume = open_volume(folder / name, space=Space(space), modality=modality)
        labels = (volume.read() > 127).astype(np.uint8)
        return volume, Volume(data=labels, grid=volume.grid, modality=modality, role="labels")

    fixed, fixed_labels = mask("sbem-segmented-neuropil.ome.tif", "em", "em")
    moving, moving_labels = mask("xray-segmented-neuropil.ome.tif", "ct", "xray_ct")
    result = register(
        fixed, moving, fixed_labels=fixed_labels, moving_labels=moving_labels,
        settings=Settings(any_orientation=True),
    )  # fmt: skip
    with (folder / "big-warp-landmarks.csv").open() as stream:
        rows = np.array([[float(v) for v in row[2:8]] for row in csv.reader(stream)]) * 1000
    error = _median_um(result.fixed_to_moving, rows[:, [5, 4, 3]], rows[:, [2, 1, 0]])
    warped = warp_array(
        moving_labels.read().astype(np.float32), moving.grid, fixed.grid, result.fixed_to_moving
    )
    a, b = fixed_labels.read() > 0, warped > 0.5
    dice = 2 * np.count_nonzero(a & b) / (a.sum() + b.sum())
    assert not result.reflection
    assert result.jacobian.folded_fraction == 0
    assert error < 9.8
    assert dice > 0.54


@pytest.mark.parametrize(("level", "seed", "bound_um"), [("easy", 21, 0.25), ("medium", 21, 0.3)])
def test_light_image_simulated_from_real_hela_mitochondria(shared_data, level, seed, bound_um):
    """Known truth; the bound is at most half the axial width of the simulated microscope."""
    case = _benchmark_cases().load_case("hela", level, seed)
    result = register(
        case.fixed, case.moving, fixed_labels=case.fixed_labels, allow_reflection=True
    )
    error = _median_um(result.fixed_to_moving, case.truth_fixed_zyx_nm, case.truth_moving_zyx_nm)
    assert result.status == "ok"
    assert error < bound_um


@pytest.mark.parametrize(
    ("level", "seed", "median_um", "p95_um"),
    [("easy", 31, 0.048, 0.13), ("medium", 31, 0.075, 0.20)],
)
def test_simulated_experiment_from_no_start(shared_tools, level, seed, median_um, p95_um):
    """Bounds: a prototype with nothing given; elastix needs the true rotation for 0.058/0.089."""
    case = _benchmark_cases().load_case("simulated", level, seed)
    result = register(
        case.fixed, case.moving, fixed_labels=case.fixed_labels, allow_reflection=True
    )
    found = result.fixed_to_moving.apply_points(case.truth_fixed_zyx_nm)
    error = np.linalg.norm(found - case.truth_moving_zyx_nm, axis=1)[case.scored] / 1000
    assert result.status == "ok"
    assert np.median(error) <= median_um
    assert np.percentile(error, 95) <= p95_um


def test_yeast_section_in_two_dimensions(shared_data):
    """Cells are dark in EM and bright in fluorescence; the coarse alignment is off by 0.8 µm."""
    folder = shared_data / "yeast-clem-2d"
    voxel = (100.3, 100.3, 100.3)
    fixed = open_volume(
        folder / "em.tif", voxel_size_zyx_nm=voxel, space=Space("em"), modality="em"
    )
    moving = open_volume(
        folder / "fluo_green.tif", voxel_size_zyx_nm=voxel, space=Space("lm"), modality="lm"
    )
    result = register(fixed, moving)
    start = Affine.identity(Space("em"), Space("lm"))
    shift = result.fixed_to_moving.apply_points(fixed.grid.points()[::997])
    shift = np.linalg.norm(shift - fixed.grid.points()[::997], axis=1)
    # anticorrelated contrast: more negative is better; padding of both images is left out
    em = fixed.read()[0]
    inside = np.zeros_like(em, dtype=bool)
    inside[150:600, 150:850] = True

    def anticorrelation(transform) -> float:
        warped = warp_array(moving.read().astype(np.float32), moving.grid, fixed.grid, transform)
        light = np.sqrt(warped[0][inside])
        return -float(np.corrcoef(em[inside].astype(float), light)[0, 1])

    assert anticorrelation(result.fixed_to_moving) > anticorrelation(start) + 0.05
    assert 200 < np.median(shift) < 2500
    assert not result.reflection


def test_two_imaging_rounds_gain_from_the_deformation(shared_data):
    folder = shared_data / "easifish-crop"
    fixed = open_volume(folder / "fix.ome.tif", space=Space("round1"), modality="lm")
    moving = open_volume(folder / "mov.ome.tif", space=Space("round2"), modality="lm")
    result = register(fixed, moving)
    affine = Affine(
        result.details["affine_fixed_to_moving"], source=Space("round1"), target=Space("round2")
    )
    after_affine = _correlation(fixed, moving, affine)
    after_deformation = _correlation(fixed, moving, result.fixed_to_moving)
    assert after_affine > 0.8
    assert after_deformation > after_affine + 0.01
    assert result.jacobian.min > 0.1
