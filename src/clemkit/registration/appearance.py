"""How fixed structures look in the moving image: piece brightness, blur, background, noise.

The expected image on the work grid is ``sum_p a_p (K * 1_p) + background``, with one brightness
per piece, a blur K (an oriented Gaussian plus a wide halo) and a smooth background. Brightness
and background are kept non-negative by multiplicative least-squares updates; the residual
variance is a straight line in the expected image, fitted to the residuals themselves.

References
----------
.. [1] Daube-Witherspoon & Muehllehner (1986), An iterative image space reconstruction algorithm
   suitable for volume ECT, IEEE TMI 5(2): the multiplicative update.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clemkit.geometry import FloatArray
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.intensity import oriented_blur
from clemkit.registration.noise import Noise, WhitenedNoise, noise_line
from clemkit.registration.structures import Structures

__all__ = ["Appearance"]

FloatImage = NDArray[np.float32]
_TINY = 1e-9
_FASTER = 1.6  # over-relaxation of multiplicative updates, which stay stable below 2
_HOLD = 0.03  # worth of the usual background, in what a control point sees on average


class Appearance:
    """Expected moving image of the fixed structures, refitted as the alignment improves.

    Parameters
    ----------
    structures : Structures
    blur_nm2 : (3, 3) array
        Covariance of the point spread function in the fixed frame, nm².
    halo : float
        Share of light in the wide halo.
    halo_nm2 : (3, 3) array
        Covariance of the halo.
    background_nm : float
        Control spacing of the background.
    """

    def __init__(
        self,
        structures: Structures,
        *,
        blur_nm2: FloatArray,
        halo: float,
        halo_nm2: FloatArray,
        background_nm: float,
    ) -> None:
        self.structures = structures
        self.halo = halo
        self._halo_nm2 = halo_nm2
        self.set_blur(blur_nm2)
        self.brightness = np.ones(structures.count + 1)
        self.brightness[0] = 0.0
        self._lattice = FfdLattice(
            grid=structures.grid,
            spacing_zyx_nm=(background_nm,) * 3,
            margin_zyx_nm=(background_nm / 5,) * 3,
        )
        self._background = np.ones(self._lattice.shape)
        self.signal: FloatImage = np.zeros(structures.grid.shape_zyx, np.float32)
        self.expected: FloatImage = self.signal
        self.variance: FloatImage = np.ones(structures.grid.shape_zyx, np.float32)

    def set_blur(self, blur_nm2: FloatArray) -> None:
        """Change the point spread function (covariance in nm²)."""
        self.blur_nm2 = blur_nm2
        voxel = np.array(self.structures.grid.voxel_size_zyx_nm)
        self._blur_vox = blur_nm2 / np.outer(voxel, voxel)
        self._halo_vox = self._halo_nm2 / np.outer(voxel, voxel)
        ones = np.ones(self.structures.grid.shape_zyx, np.float32)
        # light that enters from structures beyond the fixed field cannot be expected
        leak = 1.0 - oriented_blur(ones, self._blur_vox)
        self.trust: FloatImage = np.clip(1.0 - 2.0 * leak, 0.02, 1.0).astype(np.float32)

    def _blur(self, image: FloatImage) -> FloatImage:
        out = oriented_blur(image, self._blur_vox)
        if self.halo > 0:
            out = out + np.float32(self.halo) * oriented_blur(image, self._halo_vox)
        return out

    def start(self, image: FloatImage) -> None:
        """Set first values from the warped image."""
        shape = self._blur(self.structures.fraction)
        low, high = np.percentile(image, [10.0, 95.0])
        self.brightness[1:] = max(float(high - low), _TINY) / max(
            float(np.percentile(shape, 95)), _TINY
        )
        self._background[:] = max(float(low), _TINY)
        self.variance = np.full(image.shape, max(float(image.var()), _TINY), np.float32)
        self._update_expected()

    def _update_expected(self) -> None:
        s = self.structures
        source = self.brightness[s.piece].astype(np.float32) * s.fraction
        self.signal = self._blur(source)
        self.expected = self.signal + self.background()

    def background(self) -> FloatImage:
        """Return the background on the work grid."""
        stacked = np.stack([self._background] * 3)
        return self._lattice.field(stacked)[0]

    def refit(self, image: FloatImage, weight: FloatImage, iterations: int) -> None:
        """Improve brightness and background for the current alignment [1]_."""
        positive = np.maximum(image, 0.0)
        inverse = weight / self.variance
        target = inverse * positive
        number_all = self._per_piece(target)
        background_all = self._lattice.project(np.stack([target] * 3))[0]
        # control points that hardly reach the field would run away: all are drawn to the median
        usual = float(np.median(self.background()))
        hold = _HOLD * float(np.mean(self._lattice.project(np.stack([inverse] * 3))[0]))
        for _ in range(iterations):
            current = inverse * self.expected
            ratio = (number_all + _TINY) / (self._per_piece(current) + _TINY)
            # rounding of the blur can leave a sum below zero
            self.brightness *= np.clip(ratio, 0.1, 10.0) ** _FASTER
            self.brightness[0] = 0.0
            below = self._lattice.project(np.stack([current] * 3))[0]
            ratio = (background_all + hold * usual + _TINY) / (
                below + hold * self._background + _TINY
            )
            self._background *= np.clip(ratio, 0.1, 10.0) ** _FASTER
            self._update_expected()

    def _per_piece(self, image: FloatImage) -> FloatArray:
        s = self.structures
        blurred = self._blur(image.astype(np.float32)) * s.fraction
        return np.bincount(s.piece.ravel(), blurred.ravel(), s.count + 1).astype(np.float64)

    def fit_noise(self, image: FloatImage, weight: FloatImage) -> None:
        """Fit the variance as a line in the expected image, from the residuals."""
        self.variance = noise_line(image, self.expected, weight)

    def measure_noise(
        self, residual: FloatImage, used: NDArray[np.bool_], gradient: FloatImage
    ) -> Noise:
        """Measure the colour of residuals that were scaled to even variance."""
        return WhitenedNoise.measure(residual, used, gradient)
