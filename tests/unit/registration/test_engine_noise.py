"""Colour and worth of residuals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from clemkit.registration.noise import CountedNoise, WhitenedNoise, residual_spectrum

SHAPE = (17, 31, 37)


@pytest.fixture
def used() -> np.ndarray:
    out = np.ones(SHAPE, bool)
    out[:, :, :3] = False
    return out


def white(seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)


def soft(sigma: float = 0.8) -> np.ndarray:
    out = ndi.gaussian_filter(white(), sigma, mode="wrap")
    return (out / out.std()).astype(np.float32)


def test_spectrum_is_flat_for_white_and_falls_for_blurred_noise(used):
    flat, shape = residual_spectrum(white(), used)
    assert min(shape) >= 17 + 8
    assert np.median(flat) == pytest.approx(1.0, abs=0.1)
    assert np.std(flat) < 0.35
    falling, _ = residual_spectrum(soft(), used)
    assert falling[0, 0, 0] > 4
    assert falling[shape[0] // 2, shape[1] // 2, -1] < 0.2


def test_whitening_removes_the_correlation_of_neighbours(used):
    residual = soft()
    noise = WhitenedNoise.measure(residual, used, residual[None])
    scaled = residual * used
    out, gradient, precision = noise.apply(scaled, np.stack([scaled] * 3))
    np.testing.assert_array_equal(gradient[1], out)

    def neighbours(image: np.ndarray) -> float:
        inner = image[2:-2, 2:-2, 5:-2]
        return float(np.corrcoef(inner[:-1].ravel(), inner[1:].ravel())[0, 1])

    assert neighbours(residual) > 0.6
    assert abs(neighbours(out)) < 0.3
    assert precision * out[used].var() == pytest.approx(1.0, rel=1e-4)


def test_precision_does_not_depend_on_the_unit(used):
    residual = soft()
    a = WhitenedNoise.measure(residual, used, residual[None])
    b = WhitenedNoise.measure(7 * residual, used, residual[None])
    assert a.precision == pytest.approx(49 * b.precision, rel=1e-3)


def test_counted_worth_is_that_of_the_frequencies_that_the_gradients_use(used):
    residual = soft()
    coarse = ndi.gaussian_filter(white(5), 3.0)[None]
    fine = np.diff(white(6), axis=1, append=0)[None]
    low = CountedNoise.measure(residual, used, coarse)
    high = CountedNoise.measure(residual, used, fine)
    assert low.volume > 3 * high.volume
    assert high.volume >= 1.0
    # white residuals are all independent
    assert CountedNoise.measure(white(), used, coarse).volume < 1.8
    same, gradient, precision = low.apply(residual, fine)
    assert same is residual
    assert gradient is fine
    assert precision == pytest.approx(1 / low.volume)


def test_a_section_has_no_spectrum_across_itself():
    residual = white()[:1]
    spectrum, shape = residual_spectrum(residual, np.ones(residual.shape, bool))
    assert shape[0] == 1
    assert spectrum.shape[:2] == shape[:2]
