"""What the residuals say about the noise: its size, its colour, and how much to believe the data.

Residuals are noise, and what the model gets wrong. Both hang together from voxel to voxel, so a
sum over voxels counts the same evidence more than once. Where the model of the image is detailed
(labelled structures), residuals and gradients are whitened, which is the efficient estimate;
where it is rough (one grey image against another), fine detail is not trusted so far, and the
data are only counted at their worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.fft as sf
from numpy.typing import NDArray

__all__ = ["CountedNoise", "Noise", "WhitenedNoise", "noise_line", "residual_spectrum"]

FloatImage = NDArray[np.float32]
_TINY = 1e-9
_LAGS = 8  # voxels over which residuals are asked to hang together


class Noise(Protocol):
    """Turns scaled residuals and gradients into ones whose squares may be summed."""

    def apply(
        self, residual: FloatImage, gradient: FloatImage
    ) -> tuple[FloatImage, FloatImage, float]:
        """Return residual, gradient ``(3, Z, Y, X)``, and the precision of each voxel."""
        ...


def noise_line(
    image: FloatImage, expected: FloatImage, weight: FloatImage, bins: int = 12
) -> FloatImage:
    """Return the variance of the residuals as a straight line in the expected image.

    Parameters
    ----------
    image, expected, weight : (Z, Y, X) float32 arrays
        Voxels of weight above 0.3 are used.
    bins : int
        Levels of the expected image in which the spread is measured.

    Returns
    -------
    (Z, Y, X) float32 array
    """
    used = weight > 0.3
    residual, shown = (image - expected)[used], expected[used]
    if len(residual) < 50 * bins:
        plain = max(float(residual.var()) if len(residual) else 1.0, _TINY)
        return np.full(image.shape, plain, np.float32)
    edges = np.quantile(shown, np.linspace(0, 1, bins + 1))
    place = np.digitize(shown, edges[1:-1])
    level = np.array([shown[place == k].mean() for k in range(bins)])
    # mostly the robust spread, some of the plain one: misfits are noise too
    spread = np.array(
        [
            1.8 * np.median(np.abs(residual[place == k])) ** 2
            + 0.18 * np.mean(residual[place == k] ** 2)
            for k in range(bins)
        ]
    )
    spread = np.maximum(spread, 1e-6 * float(spread.max()) + _TINY)
    slope, base = np.polyfit(level, spread, 1, w=1 / spread)
    line = slope * expected + base
    return np.maximum(line, 0.3 * float(spread.min())).astype(np.float32)


def residual_spectrum(
    residual: FloatImage, used: NDArray[np.bool_]
) -> tuple[FloatImage, tuple[int, int, int]]:
    """Return the power spectrum of a residual, of mean 1, and the padded shape it belongs to.

    From the autocorrelation over a few voxels, tapered, so that it is smooth.

    Parameters
    ----------
    residual : (Z, Y, X) float32 array
        Scaled to even variance.
    used : (Z, Y, X) bool array

    Returns
    -------
    spectrum, shape
        The spectrum is for ``scipy.fft.rfftn(image, shape)``.
    """
    z = (residual - (residual[used].mean() if used.any() else 0)) * used
    a, b, c = (sf.next_fast_len(n + _LAGS, True) if n > 1 else 1 for n in z.shape)
    shape = (a, b, c)
    auto = sf.irfftn(np.abs(sf.rfftn(z, shape)) ** 2, shape)
    pairs = sf.irfftn(np.abs(sf.rfftn(used.astype(np.float32), shape)) ** 2, shape)
    rho = auto / np.maximum(pairs, 1.0)
    rho /= max(float(rho[0, 0, 0]), _TINY)
    for axis, n in enumerate(shape):
        lag = np.minimum(np.arange(n), n - np.arange(n))
        taper = np.clip(1 - (lag / _LAGS) ** 2, 0, None) ** 2
        rho *= taper.reshape([-1 if k == axis else 1 for k in range(3)]).astype(rho.dtype)
    spectrum = np.asarray(np.maximum(sf.rfftn(rho).real, 0.05), np.float32)
    return spectrum, shape


@dataclass(frozen=True, slots=True, eq=False)
class WhitenedNoise:
    """Residuals and gradients are divided by the root of the residuals' spectrum.

    Attributes
    ----------
    spectrum : float32 array
    shape : tuple of int
        See :func:`residual_spectrum`.
    precision : float
        One over the variance of whitened residuals.
    """

    spectrum: FloatImage
    shape: tuple[int, int, int]
    precision: float

    @classmethod
    def measure(
        cls, residual: FloatImage, used: NDArray[np.bool_], _gradient: FloatImage
    ) -> WhitenedNoise:
        """Measure spectrum and precision from residuals scaled to even variance."""
        spectrum, shape = residual_spectrum(residual, used)
        white = cls(spectrum, shape, 1.0)._filter(residual * used)
        return cls(spectrum, shape, 1.0 / max(float(white[used].var()), _TINY))

    def _filter(self, image: FloatImage) -> FloatImage:
        z, y, x = image.shape
        out = sf.irfftn(sf.rfftn(image, self.shape) / np.sqrt(self.spectrum), self.shape)
        return np.asarray(out[:z, :y, :x], np.float32)

    def apply(
        self, residual: FloatImage, gradient: FloatImage
    ) -> tuple[FloatImage, FloatImage, float]:
        """Whiten both."""
        return (
            self._filter(residual),
            np.stack([self._filter(g) for g in gradient]),
            self.precision,
        )


@dataclass(frozen=True, slots=True)
class CountedNoise:
    """Residuals are taken as they are, each worth one over the volume they share.

    Attributes
    ----------
    volume : float
        Voxels per independent residual, as the gradients see it.
    """

    volume: float

    @classmethod
    def measure(
        cls, residual: FloatImage, used: NDArray[np.bool_], gradient: FloatImage
    ) -> CountedNoise:
        """Measure the volume: the residuals' spectrum, averaged over that of the gradients.

        This is the variance that correlated residuals give to an unweighted least-squares fit,
        relative to independent ones.
        """
        spectrum, shape = residual_spectrum(residual, used)
        power = sum(np.abs(sf.rfftn(g * used, shape)) ** 2 for g in gradient)
        total = max(float(np.sum(power)), _TINY)
        return cls(max(float(np.sum(power * spectrum)) / total, 1.0))

    def apply(
        self, residual: FloatImage, gradient: FloatImage
    ) -> tuple[FloatImage, FloatImage, float]:
        """Leave both as they are."""
        return residual, gradient, 1.0 / self.volume
