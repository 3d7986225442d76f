"""How a fixed grey image looks in the moving image: blur, local gain and offset, noise.

The expected image is ``a(x) (K * fixed) + b(x)`` with gain a and offset b that vary slowly: a
weighted straight-line fit around every voxel, drawn towards the line of the whole field where
the surroundings have little contrast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clemkit.geometry import FloatArray, Grid
from clemkit.registration.intensity import gaussian_blur_nm, oriented_blur
from clemkit.registration.noise import CountedNoise, Noise, noise_line

__all__ = ["GreyAppearance"]

FloatImage = NDArray[np.float32]
_TINY = 1e-9


class GreyAppearance:
    """Expected moving image of a fixed grey image, refitted as the alignment improves.

    Parameters
    ----------
    image : (Z, Y, X) float32 array
        Fixed image on the work grid, at its own sharpness.
    grid : Grid
        Work grid.
    blur_nm2 : (3, 3) array
        Covariance of the moving image's blur in the fixed frame, nm².
    window_nm : float
        Width of the surroundings that share gain and offset.
    recorded : (Z, Y, X) bool array, optional
        Where the fixed image holds data.
    """

    def __init__(
        self,
        image: FloatImage,
        grid: Grid,
        *,
        blur_nm2: FloatArray,
        window_nm: float,
        recorded: NDArray[np.bool_] | None = None,
    ) -> None:
        voxel = np.array(grid.voxel_size_zyx_nm)
        covariance = blur_nm2 / np.outer(voxel, voxel)
        known = np.ones(image.shape, np.float32) if recorded is None else recorded.astype("f4")
        share = np.maximum(oriented_blur(known, covariance), 1e-3)
        self._source = (oriented_blur(image * known, covariance) / share).astype(np.float32)
        self.trust: FloatImage = (np.clip(2.0 * share - 1.0, 0.02, 1.0) * known).astype(np.float32)
        self._voxel = grid.voxel_size_zyx_nm
        self._window = window_nm
        self.signal: FloatImage = self._source
        self.expected: FloatImage = self._source
        self.variance: FloatImage = np.ones(image.shape, np.float32)

    def start(self, image: FloatImage) -> None:
        """Set first values from the warped image."""
        self.variance = np.full(image.shape, max(float(image.var()), _TINY), np.float32)

    def refit(self, image: FloatImage, weight: FloatImage, iterations: int) -> None:
        """Fit gain and offset around every voxel for the current alignment."""
        del iterations  # a straight line needs one
        w = (weight + np.float32(1e-6)).astype(np.float32)
        total = float(w.sum())
        s = self._source
        mean_s, mean_i = float((w * s).sum()) / total, float((w * image).sum()) / total
        variance = max(float((w * (s - mean_s) ** 2).sum()) / total, _TINY)
        gain = float((w * (s - mean_s) * (image - mean_i)).sum()) / total / variance

        def around(values: FloatImage) -> FloatImage:
            return gaussian_blur_nm(values * w, self._window, self._voxel) / count

        count = gaussian_blur_nm(w, self._window, self._voxel) + np.float32(1e-9)
        local_s, local_i = around(s), around(image)
        spread = np.maximum(around(s * s) - local_s**2, 0.0)
        both = around(s * image) - local_s * local_i
        # worth as much as half the contrast of the whole field
        pull = np.float32(0.5 * variance)
        slope = (both + pull * np.float32(gain)) / (spread + pull)
        self.signal = (slope * (s - local_s)).astype(np.float32)
        self.expected = (self.signal + local_i).astype(np.float32)

    def fit_noise(self, image: FloatImage, weight: FloatImage) -> None:
        """Fit the variance as a line in the expected image, from the residuals."""
        self.variance = noise_line(image, self.expected, weight)

    def measure_noise(
        self, residual: FloatImage, used: NDArray[np.bool_], gradient: FloatImage
    ) -> Noise:
        """Measure how much residuals that were scaled to even variance are worth."""
        return CountedNoise.measure(residual, used, gradient)
