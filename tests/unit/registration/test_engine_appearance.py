"""The model of the moving image finds the brightness, background and noise put into it."""

from __future__ import annotations

import numpy as np
import pytest

from clemkit.geometry import Grid, Space
from clemkit.registration.appearance import Appearance
from clemkit.registration.intensity import oriented_blur
from clemkit.registration.structures import Structures

GRID = Grid(
    space=Space("em"),
    shape_zyx=(12, 30, 34),
    voxel_size_zyx_nm=(100, 80, 90),
    origin_zyx_nm=(40, -700, 300),
)
VOXEL = np.array(GRID.voxel_size_zyx_nm)
BLUR = np.diag([150.0**2, 100.0**2, 110.0**2])
AMPLITUDES = np.array([0.0, 300.0, 900.0, 150.0, 600.0, 450.0, 1200.0])


@pytest.fixture
def structures() -> Structures:
    piece = np.zeros(GRID.shape_zyx, np.int32)
    boxes = [(1, 2, 3), (6, 3, 12), (3, 4, 23), (7, 17, 4), (2, 18, 14), (6, 20, 24)]
    for k, (z, y, x) in enumerate(boxes):
        piece[z : z + 3, y : y + 5, x : x + 4 + k % 3] = k + 1
    fraction = (piece > 0).astype(np.float32)
    fraction[piece == 2] = 0.5  # half-filled work voxels
    points = GRID.points()
    centres = np.stack([points[piece.ravel() == k].mean(axis=0) for k in range(7)])
    return Structures(GRID, fraction, piece, 6, np.arange(7), centres)


def appearance(structures: Structures, halo: float = 0.0) -> Appearance:
    return Appearance(
        structures,
        blur_nm2=BLUR,
        halo=halo,
        halo_nm2=np.diag([400.0**2] * 3),
        background_nm=1500.0,
    )


def slope() -> np.ndarray:
    return np.linspace(80, 160, GRID.shape_zyx[2], dtype=np.float32)[None, None]


def clean(structures: Structures) -> np.ndarray:
    source = (AMPLITUDES[structures.piece] * structures.fraction).astype(np.float32)
    return oriented_blur(source, BLUR / np.outer(VOXEL, VOXEL)) + slope()


def fitted(structures, image, rounds=4) -> Appearance:
    found = appearance(structures)
    found.start(image)
    weight = np.ones(GRID.shape_zyx, np.float32)
    for _ in range(rounds):
        found.refit(image, weight, 60)
        found.fit_noise(image, weight)
    return found


def test_brightness_and_background_are_recovered(structures, rng):
    image = clean(structures) + rng.normal(0, 4, GRID.shape_zyx).astype(np.float32)
    found = fitted(structures, image)
    assert found.brightness[0] == 0
    np.testing.assert_allclose(found.brightness[1:], AMPLITUDES[1:], rtol=0.06)
    gap = found.background() - slope()
    assert np.abs(gap).mean() < 3
    assert found.background()[..., -4:].mean() > 1.5 * found.background()[..., :4].mean()
    assert np.abs(found.expected - clean(structures)).mean() < 4
    np.testing.assert_allclose(found.expected - found.background(), found.signal, atol=0.01)


def test_a_piece_without_light_gets_none_and_nothing_is_negative(structures, rng):
    dark = structures.piece == 2
    image = np.where(dark, slope(), clean(structures)) - 0.0
    image = (image + rng.normal(0, 30, GRID.shape_zyx)).astype(np.float32)
    found = fitted(structures, image)
    assert found.brightness[2] < 0.35 * AMPLITUDES[2]
    assert np.all(found.brightness >= 0)
    assert np.all(found.background() >= 0)


def test_untrusted_voxels_say_nothing(structures):
    image = clean(structures)
    broken = image.copy()
    broken[:, :, :9] = 5000
    weight = np.ones(GRID.shape_zyx, np.float32)
    weight[:, :, :9] = 0
    found = []
    for data in (image, broken):
        model = appearance(structures)
        model.start(image)
        model.refit(data, weight, 20)
        found.append(model.brightness)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)


def test_noise_is_a_line_in_the_expected_image(structures, rng):
    truth = clean(structures)
    variance = truth + 20
    image = (truth + rng.normal(size=truth.shape) * np.sqrt(variance)).astype(np.float32)
    found = appearance(structures)
    found.expected = truth
    found.fit_noise(image, np.ones(truth.shape, np.float32))
    np.testing.assert_allclose(found.variance, variance, rtol=0.2)
    assert np.corrcoef(found.variance.ravel(), truth.ravel())[0, 1] == pytest.approx(1, abs=1e-4)


def test_outliers_hardly_change_the_noise(structures, rng):
    truth = clean(structures)
    image = (truth + rng.normal(0, 10, truth.shape)).astype(np.float32)
    image[rng.uniform(size=truth.shape) < 0.02] += 100
    found = appearance(structures)
    found.expected = truth
    found.fit_noise(image, np.ones(truth.shape, np.float32))
    plain = float((image - truth).var())
    assert plain > 250
    assert np.median(found.variance) < 160


def test_few_voxels_give_one_variance(structures, rng):
    found = appearance(structures)
    found.expected = np.zeros(GRID.shape_zyx, np.float32)
    weight = np.zeros(GRID.shape_zyx, np.float32)
    weight[0, :10, :20] = 1
    image = rng.normal(0, 3, GRID.shape_zyx).astype(np.float32)
    found.fit_noise(image, weight)
    assert np.ptp(found.variance) == 0
    assert found.variance[0, 0, 0] == pytest.approx(image[0, :10, :20].var(), rel=1e-4)


def test_trust_falls_towards_the_faces(structures):
    found = appearance(structures)
    assert found.trust[6, 15, 17] > 0.95
    assert found.trust[0, 15, 17] < 0.5
    assert found.trust[0, 0, 0] >= 0.02
    before = found.trust.copy()
    found.set_blur(4 * BLUR)
    assert found.trust[1, 15, 17] < before[1, 15, 17]


def test_a_halo_adds_wide_light(structures):
    image = clean(structures)
    lights = []
    for halo in (0.0, 0.3):
        model = appearance(structures, halo)
        model.start(image)
        model.brightness[1:] = 1.0
        model.refit(image, np.zeros(GRID.shape_zyx, np.float32), 1)
        lights.append(model.signal / model.brightness[1])
    gain = lights[1] - lights[0]
    empty = lights[0] < 1e-3
    assert gain[empty].max() > 1e-3
    assert gain.sum() == pytest.approx(0.3 * structures.fraction.sum(), rel=0.35)  # some leaves
