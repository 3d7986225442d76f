from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from clemkit.errors import (
    ArgumentError,
    DataError,
    MissingExtraError,
    NotConvergedError,
    SpaceMismatchError,
)
from clemkit.geometry import Grid, Space
from clemkit.landmarks import LandmarkPairs, LandmarkSet
from clemkit.registration.engines.backend import RefinementSettings, check_problem
from clemkit.registration.engines.elastix import _require_moved
from clemkit.registration.engines.elastix_parameters import format_map, parameter_maps
from clemkit.registration.engines.greedy import (
    GreedyBackend,
    _commands,
    affine_from_ras,
    affine_to_ras,
)
from clemkit.registration.engines.start import affine_start, padded
from clemkit.registration.engines.structure_refinement import refine_structures
from clemkit.registration.engines.worker_process import run_worker
from clemkit.transforms import Affine, BSpline, Identity, compose
from clemkit.transforms.io.elastix import from_parameter_maps
from clemkit.transforms.io.elastix_text import parse_parameters

EM, LM = Space("em"), Space("lm")
FIXED = Grid(
    space=EM, shape_zyx=(7, 11, 13), voxel_size_zyx_nm=(50, 8, 10), origin_zyx_nm=(3, -40, 7)
)
MOVING = Grid(
    space=LM, shape_zyx=(9, 12, 10), voxel_size_zyx_nm=(45, 10, 14), origin_zyx_nm=(100, 20, -5)
)
START = Affine.from_parts(
    [[1.02, 0.01, 0.0], [0.0, 0.98, -0.05], [0.02, 0.04, 1.1]], [90, 70, -20], source=EM, target=LM
)


@pytest.fixture
def images(rng):
    return (
        rng.normal(size=FIXED.shape_zyx).astype(np.float32),
        rng.normal(size=MOVING.shape_zyx).astype(np.float32),
    )


def pairs(fixed, moving):
    ids = tuple(f"p{i}" for i in range(len(fixed)))
    return LandmarkPairs(
        fixed=LandmarkSet(space=EM, ids=ids, points_zyx_nm=fixed),
        moving=LandmarkSet(space=LM, ids=ids, points_zyx_nm=moving),
    )


def test_a_sound_problem_passes(images):
    check_problem(images[0], FIXED, images[1], MOVING, START, None, None)


def test_constant_and_broken_images_are_refused(images):
    fixed, moving = images
    with pytest.raises(DataError, match="fixed image: expected an image with structure; found 3"):
        check_problem(np.full_like(fixed, 3), FIXED, moving, MOVING, START, None, None)
    broken = moving.copy()
    broken[1, 2, 3] = np.nan
    with pytest.raises(DataError, match="moving image: expected finite"):
        check_problem(fixed, FIXED, broken, MOVING, START, None, None)


def test_masks_are_checked(images):
    fixed, moving = images
    mask = np.zeros(fixed.shape, bool)
    with pytest.raises(DataError, match="mask: expected some voxels"):
        check_problem(fixed, FIXED, moving, MOVING, START, mask, None)
    mask[2] = True
    flat = fixed.copy()
    flat[2] = 1
    with pytest.raises(DataError, match="inside the mask"):
        check_problem(flat, FIXED, moving, MOVING, START, mask, None)
    with pytest.raises(ArgumentError, match="mask: expected shape"):
        check_problem(fixed, FIXED, moving, MOVING, START, mask[1:], None)


def test_single_sections_and_wrong_spaces_are_refused(images):
    fixed, moving = images
    flat = replace(FIXED, shape_zyx=(1, 11, 13))
    with pytest.raises(ArgumentError, match="at least 4 voxels along each axis"):
        check_problem(fixed[:1], flat, moving, MOVING, START, None, None)
    with pytest.raises(SpaceMismatchError):
        check_problem(fixed, FIXED, moving, MOVING, START.inverse(), None, None)


def test_settings_are_checked():
    with pytest.raises(ArgumentError, match="levels"):
        RefinementSettings(levels=0)
    with pytest.raises(ArgumentError, match="one stage"):
        RefinementSettings(affine_iterations=0, deformable_iterations=0)
    with pytest.raises(ArgumentError, match="control_spacing_nm"):
        RefinementSettings(control_spacing_nm=-1.0)


def test_plain_maps_have_one_metric():
    affine, bspline = parameter_maps(RefinementSettings(), FIXED, landmarks=False)
    assert affine["Transform"] == ("AffineTransform",)
    assert bspline["Metric"] == ("AdvancedNormalizedCorrelation",)
    assert bspline["Registration"] == ("MultiResolutionRegistration",)
    # 16 voxels of (50 + 8 + 10) / 3 nm, in micrometres
    assert bspline["FinalGridSpacingInPhysicalUnits"] == pytest.approx((0.36267,) * 3, rel=1e-4)


def test_the_point_metric_is_last_and_bending_only_bends():
    settings = RefinementSettings(bending_weight=0.5, landmark_weight_per_um=2.0)
    affine, bspline = parameter_maps(settings, FIXED, landmarks=True)
    assert affine["Metric"][1:] == ("CorrespondingPointsEuclideanDistanceMetric",)
    assert bspline["Metric"][1:] == (
        "TransformBendingEnergyPenalty",
        "CorrespondingPointsEuclideanDistanceMetric",
    )
    assert (bspline["Metric1Weight"], bspline["Metric2Weight"]) == ((0.5,), (2.0,))
    assert bspline["Registration"] == ("MultiMetricMultiResolutionRegistration",)


def test_pyramid_treats_axes_alike_in_nanometres():
    (stage,) = parameter_maps(
        RefinementSettings(levels=3, deformable_iterations=0), FIXED, landmarks=False
    )
    # x, y, z per level: 10, 8 and 50 nm; z joins only when the others are as coarse
    assert stage["FixedImagePyramidSchedule"] == (4, 4, 1, 2, 2, 1, 1, 1, 1)


def test_maps_read_back_as_elastix_reads_them():
    stage = parameter_maps(RefinementSettings(), FIXED, landmarks=True)[1]
    read = parse_parameters(format_map(stage), "here")
    assert read["Metric"][-1] == "CorrespondingPointsEuclideanDistanceMetric"
    assert read["NumberOfSpatialSamples"] == ("4000",)
    assert set(read) == set(stage)


def test_parameter_maps_become_exact_transforms(rng):
    coefficients = rng.normal(size=(3, 4, 5, 6))  # component, z, y, x in micrometres
    maps = [
        {
            "Transform": ("AffineTransform",),
            "TransformParameters": tuple(map(repr, [1, 0, 0.1, 0, 1, 0, 0, 0, 1, 0.5, 0, -0.25])),
            "CenterOfRotationPoint": ("1", "2", "3"),
        },
        {
            "Transform": ("BSplineTransform",),
            "TransformParameters": tuple(repr(float(v)) for v in coefficients.ravel()),
            "GridSize": ("6", "5", "4"),
            "GridOrigin": ("-1", "0", "0.5"),
            "GridSpacing": ("1.5", "1", "2"),
        },
    ]
    affine, spline = from_parameter_maps(maps, source=EM, target=LM, unit="um")
    # x' = x + 0.1 (z - 3) + 0.5
    moved = affine.apply_points([[4000.0, 200.0, 100.0]])
    np.testing.assert_allclose(moved, [[3750.0, 200.0, 700.0]], atol=1e-9)
    assert spline.lattice.origin_zyx_nm == (500.0, 0.0, -1000.0)
    assert spline.lattice.voxel_size_zyx_nm == (2000.0, 1000.0, 1500.0)
    np.testing.assert_allclose(
        spline.coefficients_zyx_nm[1, 2, 3, 0], 1000 * coefficients[2, 1, 2, 3]
    )


def test_ras_matrices_round_trip():
    ras = affine_to_ras(START)
    back = affine_from_ras(ras, START)
    np.testing.assert_allclose(back.matrix, START.matrix, atol=1e-9)
    shift = Affine.from_parts(np.eye(3), [3000, 2000, 1000], source=EM, target=LM)
    np.testing.assert_allclose(affine_to_ras(shift)[:3, 3], [-1, -2, 3])


def test_padded_grids_keep_their_voxels():
    grid = padded(FIXED, 0.1)
    assert grid.shape_zyx == (9, 15, 17)
    index = grid.to_index(FIXED.to_physical([[2, 3, 4]]))
    np.testing.assert_allclose(index, [[3, 5, 6]])


def test_affine_starts_pass_through(images):
    landmarks = pairs(FIXED.points()[:3], MOVING.points()[:3])
    problem = affine_start(START, FIXED, images[1], MOVING, landmarks)
    assert problem.affine is START
    assert problem.moving_image is images[1]
    same = Identity(EM, LM)
    assert isinstance(affine_start(same, FIXED, images[1], MOVING, None).affine, Affine)


def test_bending_starts_are_applied_to_the_image_and_to_landmarks(rng):
    zero = BSpline.covering(*FIXED.corners()[[0, -1]], (100, 40, 50), source=EM, target=EM)
    bent = BSpline(2 * rng.normal(size=zero.coefficients_zyx_nm.shape), zero.lattice, EM, EM)
    start = compose(bent, START)
    ramp = (MOVING.points() @ [0.01, 0.02, 0.03]).reshape(MOVING.shape_zyx).astype(np.float32)
    points = FIXED.to_physical([[3, 5, 6], [2, 4, 8]])
    landmarks = pairs(points, start.apply_points(points))
    problem = affine_start(start, FIXED, ramp, MOVING, landmarks)
    assert problem.then == (start,)
    where = np.rint(problem.moving_grid.to_index(points)).astype(int)
    seen = problem.moving_image[tuple(where.T)]
    np.testing.assert_allclose(seen, start.apply_points(points) @ [0.01, 0.02, 0.03], rtol=1e-4)
    np.testing.assert_allclose(problem.landmarks.moving.points_zyx_nm, points, atol=1e-3)


ITERATIONS = "1:ItNr\t2:Metric\n0\t-0.5\t1\n1\t-0.6\t1\n"
MOVED = {"Transform": ["AffineTransform"], "TransformParameters": ["1", *["0.5"] * 11]}


def test_a_transform_that_moved_is_accepted(tmp_path):
    _require_moved([MOVED], ITERATIONS, tmp_path)


@pytest.mark.parametrize(
    "parameters", [[1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], [np.nan] * 12], ids=["start", "nan"]
)
def test_an_unmoved_transform_is_an_error(tmp_path, parameters):
    (tmp_path / "elastix.log").write_text("Too many samples map outside")
    still = {"Transform": ["AffineTransform"], "TransformParameters": list(map(str, parameters))}
    with pytest.raises(NotConvergedError, match="Too many samples map outside"):
        _require_moved([still], ITERATIONS, tmp_path)


def test_an_unmoved_metric_is_an_error(tmp_path):
    with pytest.raises(NotConvergedError, match=r"metric that changes; found 0\.0 throughout"):
        _require_moved([MOVED], "0\t0.0\t1\n1\t0.0\t1\n", tmp_path)


def worker(tmp_path, text):
    (tmp_path / "some_worker.py").write_text(text)
    run_worker(
        "some_worker", tmp_path, package="engine", extra="elastix",
        environment={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip


def test_a_missing_engine_names_its_extra(tmp_path):
    with pytest.raises(MissingExtraError, match=r"clemkit\[elastix\]"):
        worker(tmp_path, "raise SystemExit(77)")


def test_a_failing_worker_reports_its_last_words(tmp_path):
    with pytest.raises(NotConvergedError, match=r"(?s)exit 3.*worker\.log.*last words"):
        worker(tmp_path, "print('last words'); raise SystemExit(3)")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_crash_ends_the_worker_not_the_caller(tmp_path):
    with pytest.raises(NotConvergedError, match="signal 6"):
        worker(tmp_path, "import os; os.abort()")


def test_greedy_leaves_four_voxels_at_its_coarsest_level():
    settings = RefinementSettings(affine_iterations=40, deformable_iterations=12)
    thin = replace(FIXED, shape_zyx=(9, 40, 40))
    affine, deformable = _commands(settings, thin, mask=True)
    assert "-n 40x10 " in affine
    assert "-n 12x3 " in deformable
    assert "-gm inside" in affine
    assert "-n 40 " in _commands(settings, FIXED, mask=False)[0]
    assert (
        "-n 40x40x40x10 " in _commands(settings, replace(FIXED, shape_zyx=(32, 40, 40)), False)[0]
    )


def test_greedy_has_no_landmark_term(images):
    landmarks = pairs(FIXED.points()[:3], MOVING.points()[:3])
    with pytest.raises(ArgumentError, match="no landmark term; use elastix"):
        GreedyBackend().refine(images[0], FIXED, images[1], MOVING, START, landmarks=landmarks)


class Recorder:
    name = "recorder"

    def refine(self, fixed_image, fixed_grid, moving_image, moving_grid, start, **others):
        check_problem(
            fixed_image, fixed_grid, moving_image, moving_grid, start, others["mask"], None
        )
        self.seen = (fixed_image, fixed_grid, moving_image, moving_grid)
        return start


def test_structures_are_blurred_and_the_moving_field_is_cut(rng):
    fixed_grid = Grid(space=EM, shape_zyx=(20, 30, 34), voxel_size_zyx_nm=(60, 40, 40))
    moving_grid = Grid(space=LM, shape_zyx=(30, 80, 84), voxel_size_zyx_nm=(100, 50, 50))
    fraction = (rng.random(fixed_grid.shape_zyx) > 0.97).astype(np.float32)
    light = rng.gamma(4.0, size=moving_grid.shape_zyx).astype(np.float32)
    start = Affine.from_parts(np.eye(3), [700, 1200, 900], source=EM, target=LM)
    backend = Recorder()
    assert refine_structures(
        backend, fraction, fixed_grid, light, moving_grid, start, mask=fraction < 2
    ) is start  # fmt: skip
    fixed, grid, moving, crop = backend.seen
    assert grid.voxel_size_zyx_nm == (60, 80, 80)
    assert crop.voxel_size_zyx_nm == (100, 100, 100)
    assert np.all(crop.contains(start.apply_points(fixed_grid.corners())))
    assert crop.size < 0.2 * moving_grid.size
    # the blur along z (140 nm) leaves neighbouring planes alike
    assert np.corrcoef(fixed[5].ravel(), fixed[6].ravel())[0, 1] > 0.7
    assert abs(float(moving.mean())) < 0.1


def test_a_start_without_overlap_is_refused(rng):
    far = Affine.from_parts(np.eye(3), [1e6, 0, 0], source=EM, target=LM)
    image = rng.random(FIXED.shape_zyx).astype(np.float32)
    light = rng.random(MOVING.shape_zyx).astype(np.float32)
    with pytest.raises(DataError, match="give a better start"):
        refine_structures(Recorder(), image, FIXED, light, MOVING, far)
