import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator

from clemkit.errors import (
    ArgumentError,
    DegenerateLandmarksError,
    NotInvertibleError,
    RegistrationError,
    TooFewLandmarksError,
)
from clemkit.geometry import Space
from clemkit.transforms import (
    Affine,
    ThinPlateSpline,
    choose_smoothing,
    fit_affine,
    fit_thin_plate_spline,
    leave_one_out_residuals,
    numerical_jacobian,
)

LM, EM = Space("lm"), Space("em")
ENDS = {"source": LM, "target": EM}
KERNELS = ["r", "r2_log_r"]


def pairs(rng: np.random.Generator, n: int = 17, noise: float = 0.0, planar: bool = False):
    x = rng.uniform(0, [4e3, 3e4, 2e4], (n, 3)) + np.array([1e6, -2e5, 4e4])
    if planar:
        x[:, 0] = 40.0
    y = x @ np.array([[1.2, 0.1, 0.0], [0.0, 0.9, -0.2], [0.1, 0.2, 1.1]]).T + [10.0, 5e5, -3.0]
    y += 400 * np.sin(x[:, ::-1] / [4e3, 6e3, 5e3]) + rng.normal(0, noise, x.shape)
    if planar:
        y[:, 0] = -7.0
    return x, y


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("kernel", [None, *KERNELS])
def test_without_smoothing_it_interpolates(kernel, planar, rng):
    x, y = pairs(rng, planar=planar)
    spline = fit_thin_plate_spline(x, y, kernel=kernel, planar=planar, **ENDS)
    assert np.allclose(spline.apply_points(x), y, atol=1e-6)
    assert spline.kernel == (kernel or ("r2_log_r" if planar else "r"))


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("smoothing", [0.0, 3e3])
def test_scipy_gives_the_same_spline(kernel, planar, smoothing, rng):
    x, y = pairs(rng, noise=50.0, planar=planar)
    if kernel == "r2_log_r":
        smoothing *= 1e4
    spline = fit_thin_plate_spline(x, y, kernel=kernel, planar=planar, smoothing=smoothing, **ENDS)
    axes = slice(1, 3) if planar else slice(0, 3)
    name = {"r": "linear", "r2_log_r": "thin_plate_spline"}[kernel]
    # scipy does not centre the kernel lengths, which costs digits far from the origin
    x0, y0 = x.mean(axis=0), y.mean(axis=0)
    oracle = RBFInterpolator(
        (x - x0)[:, axes], (y - y0)[:, axes], kernel=name, degree=1, smoothing=smoothing
    )
    at = x0 + rng.normal(0, [0 if planar else 2e3, 1e4, 1e4], (50, 3))
    expected = oracle((at - x0)[:, axes]) + y0[axes]
    assert np.allclose(spline.apply_points(at)[:, axes], expected, atol=1e-4)


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("kernel", KERNELS)
def test_with_infinite_smoothing_it_is_the_weighted_affine(kernel, planar, rng):
    x, y = pairs(rng, noise=50.0, planar=planar)
    weights = rng.uniform(0.2, 4, len(x))
    affine = fit_affine(x, y, weights=weights, planar=planar, **ENDS)
    options = {"weights": weights, "planar": planar, "kernel": kernel, **ENDS}
    flat = fit_thin_plate_spline(x, y, smoothing=np.inf, **options)
    nearly = fit_thin_plate_spline(x, y, smoothing=1e16, **options)
    assert np.allclose(flat.affine.matrix, affine.matrix, rtol=1e-9, atol=1e-6)
    assert not flat.weights_zyx.any()
    assert np.allclose(nearly.apply_points(x), affine.apply_points(x), atol=1e-2)
    assert np.allclose(flat.inverse().apply_points(flat.apply_points(x)), x, atol=1e-6)


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("kernel", KERNELS)
def test_jacobian_is_the_derivative(kernel, planar, rng):
    x, y = pairs(rng, planar=planar)
    spline = fit_thin_plate_spline(x, y, kernel=kernel, planar=planar, **ENDS)
    at = x.mean(axis=0) + rng.normal(0, 5e3, (40, 3))
    assert np.allclose(spline.jacobian(at), numerical_jacobian(spline, at), atol=1e-5)
    assert np.all(np.isfinite(spline.jacobian(x)))


@pytest.mark.parametrize("kernel", KERNELS)
def test_jacobian_is_the_derivative_for_any_coefficients(kernel, rng):
    centres, weights = rng.normal(0, 30, (5, 3)), rng.normal(0, 0.1, (5, 3))
    affine = Affine.identity(LM, EM)
    spline = ThinPlateSpline(affine, centres, weights, kernel=kernel, scale_nm=7.0)
    at = rng.normal(0, 40, (40, 3))
    numeric = numerical_jacobian(spline, at, step_nm=1e-3)
    assert np.allclose(spline.jacobian(at), numeric, atol=1e-5)


def test_the_weights_pull(rng):
    x, y = pairs(rng, noise=100.0)
    weights = np.ones(len(x))
    weights[4] = 1e6
    spline = fit_thin_plate_spline(x, y, weights=weights, smoothing=1e5, **ENDS)
    error = np.linalg.norm(spline.apply_points(x) - y, axis=1)
    assert error[4] < 1.0 < 20.0 < np.median(error)


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("smoothing", [0.0, 1e3, 1e7, np.inf])
def test_leave_one_out_equals_refitting(kernel, planar, smoothing, rng):
    x, y = pairs(rng, noise=80.0, planar=planar)
    weights = rng.uniform(0.3, 3, len(x))
    options = {"smoothing": smoothing, "planar": planar, "kernel": kernel}
    found = leave_one_out_residuals(x, y, weights=weights, **options)
    for i in range(len(x)):
        keep = np.arange(len(x)) != i
        spline = fit_thin_plate_spline(x[keep], y[keep], weights=weights[keep], **options, **ENDS)
        assert np.allclose(found[i], spline.apply_points(x[[i]])[0] - y[i], atol=1e-5)
    only = choose_smoothing(
        x, y, weights=weights, candidates=[smoothing], planar=planar, kernel=kernel
    )
    assert np.allclose(only.residuals_nm, found, atol=1e-5)


def test_leave_one_out_leaves_repeats_out_together(rng):
    x, y = pairs(rng, noise=80.0)
    twice = [*range(len(x)), 5, 5]
    found = leave_one_out_residuals(x[twice], y[twice], smoothing=500.0)
    keep = np.arange(len(x)) != 5
    spline = fit_thin_plate_spline(x[keep], y[keep], smoothing=500.0, **ENDS)
    assert np.allclose(found[[5, -1, -2]], spline.apply_points(x[[5]])[0] - y[5], atol=1e-5)


def test_leave_one_out_is_unknown_where_a_landmark_alone_holds_the_affine(rng):
    x, y = pairs(rng, noise=80.0)
    x[1:, 0] = 1e6
    found = leave_one_out_residuals(x, y, smoothing=500.0)
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1:]).all()
    assert np.isfinite(choose_smoothing(x, y).score_nm)


def test_noise_asks_for_smoothing_and_smoothness_for_little(rng):
    x, clean = pairs(rng, n=120)
    y = clean + rng.normal(0, 300, x.shape)
    for criterion in ("loo", "gcv"):
        choice = choose_smoothing(x, y, criterion=criterion)
        errors = []
        for smoothing in (0.0, choice.smoothing, np.inf):
            spline = fit_thin_plate_spline(x, y, smoothing=smoothing, **ENDS)
            errors.append(np.sqrt(np.mean((spline.apply_points(x) - clean) ** 2)))
        assert choice.smoothing > 0
        assert errors[1] < 0.9 * errors[0]
        assert choice.score_nm == choice.scores_nm.min()
        assert choose_smoothing(x, clean, criterion=criterion).smoothing < choice.smoothing
    assert choose_smoothing(x, 2 * x).score_nm < 1e-4


def test_exact_repeats_are_merged_and_change_nothing(rng):
    x, y = pairs(rng, noise=50.0)
    once = fit_thin_plate_spline(x, y, smoothing=1e3, weights=[2, *np.ones(16)], **ENDS)
    twice = fit_thin_plate_spline(
        np.concatenate([x, x[:1]]), np.concatenate([y, y[:1]]), smoothing=1e3, **ENDS
    )
    assert len(twice.centres_zyx_nm) == 17
    assert np.allclose(once.apply_points(x), twice.apply_points(x), atol=1e-6)


def test_one_source_with_two_targets_is_named(rng):
    x, y = pairs(rng)
    x[9] = x[2]
    with pytest.raises(DegenerateLandmarksError, match="'Pt-2' and 'Pt-9'"):
        fit_thin_plate_spline(x, y, ids=[f"Pt-{i}" for i in range(17)], **ENDS)


def test_coplanar_landmarks_are_refused_not_guessed(rng):
    x, y = pairs(rng, planar=True)
    with pytest.raises(DegenerateLandmarksError, match="planar=True"):
        fit_thin_plate_spline(x, y, **ENDS)
    deep, target = pairs(rng)
    with pytest.raises(ArgumentError, match="one z"):
        fit_thin_plate_spline(deep, target, planar=True, **ENDS)
    line = x.copy()
    line[:, 1] = 2 * line[:, 2]
    with pytest.raises(DegenerateLandmarksError, match="line"):
        fit_thin_plate_spline(line, y, planar=True, **ENDS)


def test_flat_data_bend_in_plane_and_shift_in_z(rng):
    x, y = pairs(rng, planar=True)
    spline = fit_thin_plate_spline(x, y, planar=True, **ENDS)
    up = np.array([123.0, 0.0, 0.0])
    assert np.allclose(spline.apply_points(x + up), y + up, atol=1e-6)


def test_mirrored_landmarks_are_refused_unless_allowed(rng):
    x, y = pairs(rng)
    y[:, 0] *= -1
    with pytest.raises(RegistrationError, match="mirrored"):
        fit_thin_plate_spline(x, y, **ENDS)
    spline = fit_thin_plate_spline(x, y, allow_reflection=True, **ENDS)
    assert np.allclose(spline.apply_points(x), y, atol=1e-6)


def test_the_smallest_sets(rng):
    x, y = pairs(rng, 4)
    spline = fit_thin_plate_spline(x, y, allow_reflection=True, **ENDS)
    assert np.allclose(spline.apply_points(x), y, atol=1e-5)
    with pytest.raises(TooFewLandmarksError, match="at least 4"):
        fit_thin_plate_spline(x[:3], y[:3], **ENDS)
    with pytest.raises(TooFewLandmarksError, match="at least 5"):
        leave_one_out_residuals(x, y)


def test_bad_arguments_are_refused(rng):
    x, y = pairs(rng)
    with pytest.raises(ArgumentError, match="smoothing"):
        fit_thin_plate_spline(x, y, smoothing=-1.0, **ENDS)
    with pytest.raises(ArgumentError, match="smoothing"):
        fit_thin_plate_spline(x, y, smoothing=np.nan, **ENDS)
    with pytest.raises(ArgumentError, match="criterion"):
        choose_smoothing(x, y, criterion="aic")
    with pytest.raises(ArgumentError, match="at least one smoothing"):
        choose_smoothing(x, y, candidates=[])
    y[3, 2] = np.inf
    with pytest.raises(ArgumentError, match="landmarks 3"):
        fit_thin_plate_spline(x, y, **ENDS)


def test_it_has_no_exact_inverse_and_its_arrays_are_read_only(rng):
    x, y = pairs(rng)
    spline = fit_thin_plate_spline(x, y, **ENDS)
    with pytest.raises(NotInvertibleError, match="numerical_inverse"):
        spline.inverse()
    assert not spline.weights_zyx.flags.writeable
    with pytest.raises(ArgumentError, match="weights_zyx"):
        ThinPlateSpline(spline.affine, x, np.zeros((3, 3)))
    with pytest.raises(ArgumentError, match="scale_nm"):
        ThinPlateSpline(spline.affine, x, y, scale_nm=0.0)
