import numpy as np
import pytest

from clemkit.errors import (
    ArgumentError,
    DegenerateLandmarksError,
    RegistrationError,
    TooFewLandmarksError,
)
from clemkit.geometry import Space
from clemkit.transforms import (
    fit_affine,
    fit_rigid,
    fit_similarity,
    fit_translation,
    reflection_evidence,
)

LM, EM = Space("lm"), Space("em")
ENDS = {"source": LM, "target": EM}
FITS = [fit_translation, fit_rigid, fit_similarity, fit_affine]
MIRROR_X = np.diag([1.0, 1.0, -1.0])


def rotation(rng: np.random.Generator) -> np.ndarray:
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def cloud(rng: np.random.Generator, n: int = 12) -> np.ndarray:
    return rng.normal(0, [300, 2000, 900], (n, 3)) + np.array([1e6, -2e5, 4e4])


def test_each_model_finds_its_own_map(rng):
    points, turn, shift = cloud(rng), rotation(rng), np.array([5.0, -7e4, 31.0])
    general = turn @ np.diag([0.7, 1.2, 1.9]) @ rotation(rng)
    truth = [np.eye(3), turn, 0.013 * turn, general]
    for fit, linear in zip(FITS, truth, strict=True):
        found = fit(points, points @ linear.T + shift, **ENDS)
        assert np.allclose(found.linear, linear, atol=1e-9)
        assert np.allclose(found.apply_points(points), points @ linear.T + shift, atol=1e-5)
        assert (found.source, found.target) == (LM, EM)


def test_scipy_finds_the_same_weighted_rotation(rng):
    from scipy.spatial.transform import Rotation

    points, weights = cloud(rng), rng.uniform(0.2, 3, 12)
    target = points @ rotation(rng).T + rng.normal(0, 100, points.shape)
    found = fit_rigid(points, target, weights=weights, **ENDS)
    a = points - np.average(points, axis=0, weights=weights)
    b = target - np.average(target, axis=0, weights=weights)
    expected, _ = Rotation.align_vectors(b, a, weights=weights)
    assert np.allclose(found.linear, expected.as_matrix(), atol=1e-9)


def test_skimage_finds_the_same_similarity(rng):
    from skimage.transform import SimilarityTransform

    points = cloud(rng)
    target = 1.7 * points @ rotation(rng).T + rng.normal(0, 100, points.shape)
    expected = SimilarityTransform.from_estimate(points, target)
    assert np.allclose(fit_similarity(points, target, **ENDS).matrix, expected.params, rtol=1e-6)


@pytest.mark.parametrize("fit", FITS)
def test_an_integer_weight_is_as_good_as_a_repeat(fit, rng):
    points = cloud(rng)
    target = points + rng.normal(0, 100, points.shape)
    weighted = fit(points, target, weights=[3, *np.ones(11)], **ENDS)
    repeated = fit(points[[0, 0, *range(12)]], target[[0, 0, *range(12)]], **ENDS)
    assert np.allclose(weighted.apply_points(points), repeated.apply_points(points), atol=1e-6)


@pytest.mark.parametrize("fit", [fit_rigid, fit_similarity])
def test_a_mirror_is_never_returned_unless_allowed(fit, rng):
    points = cloud(rng)
    target = points @ (rotation(rng) @ MIRROR_X).T
    assert fit(points, target, **ENDS).determinant > 0
    allowed = fit(points, target, allow_reflection=True, **ENDS)
    assert allowed.determinant == pytest.approx(-1.0)
    assert np.allclose(allowed.apply_points(points), target, atol=1e-5)


def test_a_mirrored_affine_is_refused_unless_allowed(rng):
    points = cloud(rng)
    target = points @ MIRROR_X
    with pytest.raises(RegistrationError, match="mirror"):
        fit_affine(points, target, **ENDS)
    assert fit_affine(points, target, allow_reflection=True, **ENDS).determinant < 0


def test_allowing_a_mirror_does_not_invent_one(rng):
    points = cloud(rng)
    target = points @ rotation(rng).T + rng.normal(0, 1, points.shape)
    assert fit_similarity(points, target, allow_reflection=True, **ENDS).determinant > 0
    flat = points * [0, 1, 1]
    for _ in range(12):  # for points in a plane the decomposition's sign is chance
        found = fit_rigid(flat, flat @ rotation(rng).T, allow_reflection=True, **ENDS)
        assert found.determinant == pytest.approx(1.0)


def test_real_left_and_right_landmarks_are_found_to_be_mirrored(shared_data):
    file = shared_data / "larva-landmarks" / "Brain_Lineage_Landmarks_EMtoEM_ProjectSpace.csv"
    rows = file.read_text().splitlines()[1:]
    values = np.array([row.split(",")[1:7] for row in rows if row.strip(",")], dtype=float)
    left, right = values[:, 2::-1], values[:, :2:-1]
    evidence = reflection_evidence(left, right)
    # 3.3 and 13.5 micrometres, measured by the data set's collector
    assert evidence.mirrored_rms_nm == pytest.approx(3300, abs=100)
    assert evidence.proper_rms_nm == pytest.approx(13500, abs=100)
    with pytest.raises(RegistrationError, match="mirror"):
        fit_affine(left, right, **ENDS)


def test_reflection_evidence_tells_a_mirror(rng):
    points = cloud(rng)
    mirrored = reflection_evidence(points, points @ MIRROR_X + rng.normal(0, 5, points.shape))
    proper = reflection_evidence(points, points + rng.normal(0, 5, points.shape))
    assert mirrored.mirrored_is_better
    assert mirrored.mirrored_rms_nm < 15 < 100 < mirrored.proper_rms_nm
    assert not proper.mirrored_is_better
    assert proper.proper_rms_nm < 15 < 100 < proper.mirrored_rms_nm


def test_flat_data_hide_a_mirror_unless_fitted_in_plane(rng):
    points = cloud(rng)
    points[:, 0] = 40.0
    target = points * [1, 1, -1] + [10, 0, 0]
    hidden = fit_rigid(points, target, **ENDS)
    assert np.allclose(hidden.apply_points(points), target, atol=1e-5)  # a turn out of the plane
    found = fit_rigid(points, target, planar=True, **ENDS)
    assert np.array_equal(found.linear[0], [1, 0, 0])
    assert np.array_equal(found.linear[:, 0], [1, 0, 0])
    assert not np.allclose(found.apply_points(points), target, atol=100)
    assert reflection_evidence(points, target, planar=True).mirrored_is_better
    with pytest.raises(RegistrationError, match="mirror"):
        fit_affine(points, target, planar=True, **ENDS)


def test_flat_data_fit_in_plane_with_a_shift_of_z(rng):
    points = cloud(rng)
    points[:, 0] = 40.0
    angle = 0.4
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for fit, linear in (
        (fit_rigid, turn),
        (fit_similarity, 2.5 * turn),
        (fit_affine, turn @ [[1.0, 0.3], [0.0, 0.8]]),
    ):
        target = np.column_stack([np.full(12, -3.0), points[:, 1:] @ linear.T + [5, 9]])
        found = fit(points, target, planar=True, **ENDS)
        assert np.allclose(found.apply_points(points), target, atol=1e-5)
        assert np.allclose(found.linear[1:, 1:], linear, atol=1e-9)
        assert found.linear[0, 0] == 1.0


@pytest.mark.parametrize(("fit", "minimum"), list(zip(FITS, [1, 3, 3, 4], strict=True)))
def test_too_few_landmarks_say_how_many_are_needed(fit, minimum, rng):
    points = cloud(rng, minimum - 1)
    with pytest.raises(TooFewLandmarksError, match=f"at least {minimum} landmarks"):
        fit(points, points, **ENDS)


def test_collinear_and_coplanar_landmarks_are_refused(rng):
    line = np.outer(np.arange(6.0), [10, 20, -30]) + 5e5
    plane = cloud(rng) @ np.diag([1.0, 1.0, 0.0])
    for fit in (fit_rigid, fit_similarity):
        with pytest.raises(DegenerateLandmarksError, match="line"):
            fit(line, line, **ENDS)
        with pytest.raises(DegenerateLandmarksError, match="target landmarks"):
            fit(cloud(rng, 6), line, **ENDS)
        assert fit(plane, plane, **ENDS).determinant == pytest.approx(1.0)
    with pytest.raises(DegenerateLandmarksError, match="plane"):
        fit_affine(plane, plane, **ENDS)
    with pytest.raises(DegenerateLandmarksError, match="one point"):
        fit_rigid(np.ones((5, 3)), np.ones((5, 3)), **ENDS)


@pytest.mark.parametrize("fit", FITS)
def test_bad_numbers_are_named(fit, rng):
    points = cloud(rng)
    holed = points.copy()
    holed[3, 1] = np.nan
    with pytest.raises(ArgumentError, match="landmarks 3"):
        fit(points, holed, **ENDS)
    with pytest.raises(ArgumentError, match="as many target as source"):
        fit(points, points[:-1], **ENDS)
    with pytest.raises(ArgumentError, match="weights > 0"):
        fit(points, points, weights=np.zeros(12), **ENDS)
    with pytest.raises(ArgumentError, match="weights > 0"):
        fit(points, points, weights=np.ones(11), **ENDS)
