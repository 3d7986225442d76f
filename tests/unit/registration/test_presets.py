from __future__ import annotations

import numpy as np
import pytest

from clemkit.errors import ArgumentError, DataError, NotConvergedError, TooFewLandmarksError
from clemkit.geometry import Grid, Space
from clemkit.registration.presets import cosem as cosem_module
from clemkit.registration.presets import register_clem_reg, register_cosem
from clemkit.registration.presets.clem_reg import ClemRegSettings, segment_bright_tubes
from clemkit.registration.presets.cosem import COSEM_SETTINGS
from clemkit.registration.presets.point_drift import coherent_point_drift
from clemkit.registration.presets.published import centred_start, cut_field
from clemkit.transforms import Affine
from clemkit.volumes import Volume

EM, LM = Space("em"), Space("lm")
TURN = np.array([[0.99, 0.1, 0.0], [-0.1, 0.98, 0.12], [0.01, -0.12, 0.99]])


def cloud(rng, n=300):
    """Points along curved tubes, as organelles give them."""
    t = rng.uniform(0, 1, (6, n // 6, 1))
    a, b, c = (rng.uniform(0, 1, (6, 1, 3)) for _ in range(3))
    points = (a + (b - a) * t + 0.4 * c * np.sin(3 * t)).reshape(-1, 3)
    return points * [4000, 9000, 7000] + [500, -2000, 800]


def rotation():
    u, _, vt = np.linalg.svd(TURN)
    return u @ vt


@pytest.mark.parametrize("model", ["rigid", "similarity"])
def test_drift_finds_a_turn_between_unpartnered_clouds(rng, model):
    whole = cloud(rng, 600)
    linear = rotation() * (1.07 if model == "similarity" else 1.0)
    source = whole[rng.random(len(whole)) < 0.7]
    target = whole[rng.random(len(whole)) < 0.7] @ linear.T + [300, 100, -200]
    target = np.concatenate([target, rng.uniform(target.min(0), target.max(0), (30, 3))])
    found = coherent_point_drift(source, target, model=model, outliers=0.1)
    expected = source @ linear.T + [300, 100, -200]
    assert np.median(np.linalg.norm(source - expected, axis=1)) > 300
    assert np.median(np.linalg.norm(found.moved_zyx_nm - expected, axis=1)) < 60
    np.testing.assert_allclose(
        found.moved_zyx_nm, source @ found.linear.T + found.translation_zyx_nm, atol=1e-6
    )
    scale = np.linalg.det(found.linear) ** (1 / 3)
    assert scale == pytest.approx(1.0 if model == "rigid" else 1.07, abs=0.01)


def test_affine_drift_is_exact_on_equal_clouds(rng):
    source = cloud(rng)
    linear = TURN * [1.1, 0.95, 1.03]
    target = rng.permutation(source @ linear.T + [50, 80, -90])
    found = coherent_point_drift(
        source, target, model="affine", outliers=0.0, iterations=300, tolerance=0.0
    )
    np.testing.assert_allclose(found.linear, linear, atol=1e-3)
    assert found.sigma_nm < 5


def test_smooth_drift_bends(rng):
    source = cloud(rng)
    bend = 250 * np.sin(source[:, [1, 2, 0]] / 2500)
    found = coherent_point_drift(
        source, rng.permutation(source + bend), model="smooth", outliers=0.02, sigma_nm=300,
        stiffness=0.5,
    )  # fmt: skip
    before = np.linalg.norm(bend, axis=1)
    after = np.linalg.norm(found.moved_zyx_nm - source - bend, axis=1)
    assert np.median(after) < 0.25 * np.median(before)


def test_drift_never_mirrors_unless_affine(rng):
    source = cloud(rng)
    found = coherent_point_drift(source, source * [-1, 1, 1], model="similarity")
    assert np.linalg.det(found.linear) > 0


def test_dense_and_truncated_steps_agree(rng):
    from clemkit.registration.presets import point_drift

    moved, target = cloud(rng, 120), cloud(rng, 150)
    sigma, uniform = 900.0, 0.3
    near = point_drift._near(moved, target, sigma, uniform)
    squared = ((moved[:, None] - target[None]) ** 2).sum(-1)
    kernel = np.exp(-squared / (2 * sigma**2))
    kernel /= kernel.sum(axis=0) + uniform
    np.testing.assert_allclose(near[0], kernel.sum(axis=1), atol=0.02)
    np.testing.assert_allclose(near[1], kernel @ target, atol=0.02 * np.abs(target).max())


def test_drift_refuses_what_it_cannot_do(rng):
    source = cloud(rng)
    with pytest.raises(TooFewLandmarksError, match="found 3 and"):
        coherent_point_drift(source[:3], source)
    with pytest.raises(ArgumentError, match="outliers"):
        coherent_point_drift(source, source, outliers=1.0)
    with pytest.raises(NotConvergedError, match="give a better start"):
        coherent_point_drift(source, source + 1e6, sigma_nm=10.0)


def tubes(rng, shape=(26, 52, 56)):
    """Curved tubes as a mask."""
    index = np.moveaxis(np.indices(shape), 0, -1).astype(float)
    mask = np.zeros(shape, bool)
    t = np.linspace(0, 1, 40)[:, None]
    for _ in range(9):
        a, b, c = (rng.uniform(0.1, 0.9, 3) * shape for _ in range(3))
        for point in a * (1 - t) ** 2 + 2 * b * t * (1 - t) + c * t**2:
            mask |= ((index - point) ** 2).sum(-1) < 5
    return mask


def volumes(rng):
    mask = tubes(rng)
    grid = Grid(space=EM, shape_zyx=mask.shape, voxel_size_zyx_nm=(110, 100, 105))
    labels = Volume(data=mask.astype(np.uint8), grid=grid, modality="em", role="labels")
    em = Volume(data=(~mask * 90).astype(np.uint8), grid=grid, modality="em")
    truth = Affine.from_parts(rotation() * 1.03, [600, 900, -300], source=EM, target=LM)
    lm_grid = Grid(
        space=LM, shape_zyx=(30, 60, 64), voxel_size_zyx_nm=(130, 120, 120),
        origin_zyx_nm=(-100, -200, -900),
    )  # fmt: skip
    from scipy import ndimage as ndi

    where = grid.to_index(truth.inverse().apply_points(lm_grid.points())).T
    light = ndi.map_coordinates(ndi.gaussian_filter(mask.astype(float), 1.2), where, order=1)
    light = rng.poisson(80 * light.reshape(lm_grid.shape_zyx) + 4).astype(np.uint16)
    start = Affine.from_parts(
        truth.linear / 1.03,
        truth.translation_zyx_nm + np.array([350, 160, 300]),
        source=EM,
        target=LM,
    )
    return em, labels, Volume(data=light, grid=lm_grid, modality="lm"), truth, start


def test_bright_tubes_are_found(rng):
    _, labels, lm, truth, _ = volumes(rng)
    found = segment_bright_tubes(
        lm.read().astype(np.float32), lm.grid, sigma_nm=200, threshold=1.2, least_volume_um3=0.02
    )
    index = np.rint(labels.grid.to_index(truth.inverse().apply_points(lm.grid.points()))).astype(
        int
    )
    inside = np.all((index >= 0) & (index < labels.grid.shape_zyx), axis=1)
    true = np.zeros(len(index), bool)
    true[inside] = labels.read()[tuple(index[inside].T)] > 0
    found = found.ravel() > 0
    dice = 2 * np.sum(found & true) / (found.sum() + true.sum())
    assert dice > 0.6


@pytest.mark.parametrize("model", ["affine", "spline"])
def test_clem_reg_improves_a_start_and_gives_no_verdict(rng, model):
    em, labels, lm, truth, start = volumes(rng)
    result = register_clem_reg(
        em, lm, fixed_labels=labels, start=start,
        settings=ClemRegSettings(model=model, points=500, spline_points=60),
    )  # fmt: skip
    points = em.grid.points()[::331]

    def errors(t):
        return np.linalg.norm(t.apply_points(points) - truth.apply_points(points), axis=1)

    assert np.median(errors(start)) > 350
    assert np.median(errors(result.fixed_to_moving)) < 0.4 * np.median(errors(start))
    assert result.status == "uncertain"
    assert result.error_estimate.kind == "none"
    assert "does not check its own result" in result.warnings[0]
    assert result.jacobian.folded_fraction == 0
    back = result.moving_to_fixed.apply_points(result.fixed_to_moving.apply_points(points))
    np.testing.assert_allclose(back, points, atol=0.1)


def test_cosem_gives_elastix_the_published_settings(rng, monkeypatch):
    em, labels, lm, truth, _ = volumes(rng)
    seen = {}

    class Recorder:
        def refine(self, fixed_image, fixed_grid, moving_image, moving_grid, start, *, settings):
            seen.update(locals())
            return truth

    monkeypatch.setattr(cosem_module, "ElastixBackend", Recorder)
    result = register_cosem(em, lm, fixed_labels=labels)
    settings = seen["settings"]
    assert settings == COSEM_SETTINGS
    assert (settings.levels, settings.samples, settings.deformable_iterations) == (4, 2048, 500)
    assert settings.control_spacing_nm is None  # 16 voxels
    assert seen["fixed_grid"].voxel_size_zyx_nm == (220, 200, 210)
    assert 0 < seen["fixed_image"].mean() < 0.2
    centre = seen["start"].apply_points(em.grid.centre_zyx_nm[None])[0]
    np.testing.assert_allclose(centre, lm.grid.centre_zyx_nm)
    assert result.inverse_error_nm == 0.0
    assert result.status == "uncertain"


def test_fields_are_cut_around_the_start():
    fixed = Grid(space=EM, shape_zyx=(7, 11, 13), voxel_size_zyx_nm=(50, 8, 10))
    moving = Grid(space=LM, shape_zyx=(20, 40, 50), voxel_size_zyx_nm=(30, 10, 10))
    start = centred_start(fixed, moving)
    image, grid = cut_field(np.zeros(moving.shape_zyx), fixed, moving, start, 0.1)
    assert image.shape == grid.shape_zyx
    assert np.all(grid.contains(start.apply_points(fixed.corners())))
    assert grid.size < 0.3 * moving.size
    far = Affine.from_parts(np.eye(3), [1e5, 0, 0], source=EM, target=LM)
    with pytest.raises(DataError, match="no overlap"):
        cut_field(np.zeros(moving.shape_zyx), fixed, moving, far, 0.1)


def test_nothing_bright_is_an_error(rng):
    em, labels, lm, _, start = volumes(rng)
    dark = Volume(data=np.zeros(lm.grid.shape_zyx, np.uint16), grid=lm.grid, modality="lm")
    with pytest.raises(TooFewLandmarksError, match="found none under this start"):
        register_clem_reg(em, dark, fixed_labels=labels, start=start)
