"""Exhaustive search for the pose of a small fixed field in a large moving volume.

For each rotation (and scale and, if asked, mirror) the fixed template is turned into the moving
frame at a coarse voxel size and correlated with the moving image at every shift by FFT. The
energy of the moving image under the template and the share of the template inside the field of
view enter at every shift (masked normalised correlation). Both change little with a small turn, so
that turns close to each other share them; the peaks are then scored with their own.

References
----------
.. [1] Padfield (2012), Masked object registration in the Fourier domain, IEEE TIP 21(5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
import scipy.fft as sf
from numpy.typing import NDArray

from clemkit.geometry import FloatArray, Grid
from clemkit.provenance import Progress, no_progress
from clemkit.registration.sampling import sample_displaced

__all__ = ["Pose", "search_pose"]

FloatImage = NDArray[np.float32]
_LIKE_TURN = 0.2  # largest change of a unit vector, for which the support is as good as the same
_PEAKS = 6  # blocks per orientation whose score is taken exactly


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """A candidate: ``moving = linear @ fixed + translation`` (nm, z-y-x), with its score.

    Attributes
    ----------
    linear : (3, 3) float array
    translation_zyx_nm : (3,) float array
    score : float
        Masked normalised correlation times the square root of the overlap share.
    sign : int
        +1 when fixed structures are bright in the moving image, -1 when dark.
    """

    linear: FloatArray
    translation_zyx_nm: FloatArray
    score: float
    sign: int = 1

    @property
    def is_mirror(self) -> bool:
        """Whether the pose contains a reflection."""
        return bool(np.linalg.det(self.linear) < 0)

    def apply(self, points_zyx_nm: FloatArray) -> FloatArray:
        """Map fixed points ``(N, 3)`` to the moving frame."""
        return points_zyx_nm @ self.linear.T + self.translation_zyx_nm


def _template(
    fixed: FloatImage, grid: Grid, linear: FloatArray, voxel: FloatArray, flat: NDArray[np.bool_]
) -> tuple[FloatImage, FloatImage]:
    """Turn the fixed image into the moving frame about its centre; return it and its support."""
    half = np.abs(linear) @ (grid.extent_zyx_nm / 2)
    count = np.where(flat, 1, 2 * np.ceil(half / voxel).astype(int) + 1)
    inverse = np.linalg.inv(linear)
    size = np.array(grid.voxel_size_zyx_nm)
    matrix = inverse * voxel[None, :] / size[:, None]
    centre_index = (np.array(grid.shape_zyx) - 1) / 2
    offset = centre_index - matrix @ ((count - 1) / 2)
    out = np.empty(tuple(count), np.float32)
    inside = np.empty(tuple(count), bool)
    nothing = np.zeros((3, *count), np.float32)
    sample_displaced(fixed, matrix, offset, nothing, out, inside)
    support = inside.astype(np.float32)
    total = support.sum()
    if total > 0:
        out = (out - out.sum() / total) * support
    return out, support


@numba.njit(cache=True, nogil=True)
def _block_maxima(numerator, energy, overlap, sign, total, norm, minimum):  # type: ignore[no-untyped-def]
    """Return the best score of each block of 8 voxels a side, and where it is.

    The shares belong to a neighbouring turn, so a little less than the minimum passes.
    """
    nz, ny, nx = numerator.shape
    bz, by, bx = (nz + 7) // 8, (ny + 7) // 8, (nx + 7) // 8
    values = np.zeros(bz * by * bx, np.float32)
    places = np.zeros((bz * by * bx, 3), np.int64)
    floor = np.float32(0.05) * energy.max()
    for k in range(nz):
        for j in range(ny):
            row = (k // 8 * by + j // 8) * bx
            for i in range(nx):
                share = min(overlap[k, j, i] / total, np.float32(1.0))
                top = sign * numerator[k, j, i]
                if share < np.float32(0.9) * minimum or top <= 0:
                    continue
                # correlation within the overlap, times the square root of the overlap
                score = top / np.sqrt(max(energy[k, j, i], floor) * norm)
                block = row + i // 8
                if score > values[block]:
                    values[block] = score
                    places[block, 0] = k
                    places[block, 1] = j
                    places[block, 2] = i
    return values, places


@numba.njit(cache=True, nogil=True)
def _exact_score(moving, template, support, shift, sign, total, norm, minimum, floor):  # type: ignore[no-untyped-def]
    """Return the masked correlation at one shift, times the root of the overlap; 0 if unusable."""
    nz, ny, nx = moving.shape
    tz, ty, tx = template.shape
    top, energy, share = 0.0, 0.0, 0.0
    for k in range(max(0, -shift[0]), min(tz, nz - shift[0])):
        for j in range(max(0, -shift[1]), min(ty, ny - shift[1])):
            for i in range(max(0, -shift[2]), min(tx, nx - shift[2])):
                m = support[k, j, i]
                if m > 0:
                    v = moving[k + shift[0], j + shift[1], i + shift[2]]
                    top += v * template[k, j, i]
                    energy += m * v * v
                    share += m
    if share < minimum * total or sign * top <= 0:
        return 0.0
    return sign * top / np.sqrt(max(energy, floor) * norm)


class _Surroundings:
    """Energy and overlap under the support of a turn, kept for turns that are much the same."""

    def __init__(self, moving: FloatImage, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._energy_f = sf.rfftn(moving * moving, shape)
        self._field_f = sf.rfftn(np.ones_like(moving), shape)
        self._linear: FloatArray | None = None
        self.energy = self.overlap = np.zeros(0, np.float32)
        self.floor = 0.0

    def at(self, linear: FloatArray, support: FloatImage) -> None:
        """Make ``energy`` and ``overlap`` those of *support*, or of one turned very little."""
        if self._linear is not None:
            change = np.linalg.norm(linear - self._linear, 2) / np.linalg.norm(linear, 2)
            if change < _LIKE_TURN:
                return
        support_f = np.conj(sf.rfftn(support, self.shape))
        self.energy = sf.irfftn(self._energy_f * support_f, self.shape)
        self.overlap = sf.irfftn(self._field_f * support_f, self.shape)
        self.floor = 0.05 * float(self.energy.max())
        self._linear = linear


def search_pose(
    moving: FloatImage,
    moving_grid: Grid,
    fixed: FloatImage,
    fixed_grid: Grid,
    linears: Sequence[FloatArray],
    *,
    minimum_overlap: float = 0.4,
    keep_per_rotation: int = 2,
    keep: int = 60,
    mirrored: bool = False,
    both_signs: bool = False,
    stage: str = "pose search",
    progress: Progress = no_progress,
) -> list[Pose]:
    """Correlate the fixed template in every orientation at every shift.

    Parameters
    ----------
    moving : (Z, Y, X) float32 array
        Locally normalised moving image on an isotropic coarse grid.
    moving_grid : Grid
        Its grid; all voxel sizes equal, except along an axis of one voxel.
    fixed : (z, y, x) float32 array
        Fixed template at about the same resolution.
    fixed_grid : Grid
        Its grid.
    linears : sequence of (3, 3) arrays
        Linear parts (rotation, scale, mirror) to try.
    minimum_overlap : float
        Least share of the template inside the moving field.
    keep_per_rotation, keep : int
        Peaks kept per rotation and in total.
    mirrored : bool
        Whether to try each linear part with the fixed z axis reversed too; it shares most work.
    both_signs : bool
        Whether fixed structures may be dark in the moving image.

    Returns
    -------
    list of Pose
        Best first.
    """
    voxel = np.array(moving_grid.voxel_size_zyx_nm)
    flat = np.array(moving.shape) == 1
    spans = np.max([np.abs(m) @ (fixed_grid.extent_zyx_nm / 2) for m in linears], axis=0)
    # shifts that leave less than the minimum inside need no room of their own
    room = np.ceil((1 - minimum_overlap) * (2 * np.ceil(spans / voxel) + 1)) + 1
    shape = tuple(
        sf.next_fast_len(int(n + (0 if f else r)), True)
        for n, f, r in zip(moving.shape, flat, room, strict=True)
    )
    moving_f = sf.rfftn(moving, shape)
    around = _Surroundings(moving, shape)
    origin = np.array(moving_grid.origin_zyx_nm)
    poses: list[Pose] = []
    centre = fixed_grid.centre_zyx_nm
    signs = (1, -1) if both_signs else (1,)
    for number, linear in enumerate(linears):
        template, support = _template(fixed, fixed_grid, linear, voxel, flat)
        total = float(support.sum())
        if total == 0:
            continue
        half = (np.array(template.shape) - 1) // 2
        around.at(linear, support)
        variants = [(linear, template)]
        if mirrored:
            flipped = linear @ np.diag([-1.0, 1.0, 1.0])
            variants.append((flipped, _template(fixed, fixed_grid, flipped, voxel, flat)[0]))
        for variant, image in variants:
            norm = float((image * image).sum())
            if norm == 0:
                continue
            numerator = sf.irfftn(moving_f * np.conj(sf.rfftn(image, shape)), shape)
            for sign in signs:
                values, places = _block_maxima(
                    numerator, around.energy, around.overlap, np.float32(sign), np.float32(total),
                    np.float32(norm), np.float32(minimum_overlap),
                )  # fmt: skip
                peaks = []
                for k in np.argsort(values)[::-1][:_PEAKS]:
                    if values[k] <= 0:
                        continue
                    shift = places[k]
                    shift = np.where(shift >= np.array(moving.shape), shift - shape, shift)
                    score = _exact_score(
                        moving, image, support, shift, sign, total, norm, minimum_overlap,
                        around.floor,
                    )  # fmt: skip
                    peaks.append((score, shift))
                peaks.sort(key=lambda peak: -peak[0])
                for score, shift in peaks[:keep_per_rotation]:
                    if score <= 0:
                        continue
                    # a template that starts at a shift has its centre half its size further
                    target = origin + (shift + half) * voxel
                    poses.append(Pose(variant, target - variant @ centre, float(score), sign))
        if number % 25 == 0:
            top = max((p.score for p in poses), default=0.0)
            progress(stage, (number + 1) / len(linears), f"best correlation {top:.2f}")
    poses.sort(key=lambda p: -p.score)
    progress(stage, 1.0, f"best correlation {poses[0].score:.2f}" if poses else "nothing")
    return _distinct(poses, fixed_grid, 2.0 * float(voxel[~flat].max()))[:keep]


def _distinct(poses: list[Pose], grid: Grid, distance_nm: float) -> list[Pose]:
    """Drop poses that put the corners within *distance_nm* of those of a better one."""
    corners = grid.corners()
    kept: list[Pose] = []
    images: list[FloatArray] = []
    for pose in poses:
        image = pose.apply(corners)
        if all(np.sqrt(((image - o) ** 2).sum(1).mean()) > distance_nm for o in images):
            kept.append(pose)
            images.append(image)
        if len(kept) >= 200:
            break
    return kept
