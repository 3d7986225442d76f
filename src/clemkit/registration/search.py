"""Finding the start: tiers of pose search until one pose stands out, or all have been tried."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clemkit.geometry import FloatArray, Grid
from clemkit.provenance import Progress, no_progress
from clemkit.registration.candidates import Candidate, compare_candidates, refine_poses
from clemkit.registration.features import FixedFeatures, MovingFeatures
from clemkit.registration.intensity import gaussian_blur_nm
from clemkit.registration.matching import coarse_grid
from clemkit.registration.pose_search import Pose, search_pose
from clemkit.registration.pull import resample_to
from clemkit.registration.rotations import optical_axis_rotations, uniform_rotations
from clemkit.registration.settings import Settings

__all__ = [
    "CONVINCING",
    "PoseSearch",
    "SearchOutcome",
    "pose_confidence",
    "prior_stiffness",
    "same_place",
    "search_voxel_nm",
]

FloatImage = NDArray[np.float32]
CONVINCING = 0.5
_NOTHING = 0.28  # 21 pairs without a match stayed below 0.22; a guess in between


@dataclass(frozen=True, slots=True, eq=False)
class SearchOutcome:
    """The start and how sure it is.

    Attributes
    ----------
    best : Candidate
    confidence : float
        0 to 1, from the margin between the best and the best different pose.
    ranked : tuple of Candidate
        Distinct candidates, best first.
    tiers : tuple of str
        Which searches were run.
    mirror_score : float or None
        Score of the best mirrored pose.
    """

    best: Candidate
    confidence: float
    ranked: tuple[Candidate, ...]
    tiers: tuple[str, ...]
    mirror_score: float | None = None


def search_voxel_nm(fixed: FixedFeatures, moving_grid: Grid, settings: Settings) -> float:
    """Return the voxel size of the pose search.

    About 3.3 structure radii, but so that the fixed field has 22 to 36 voxels (16 to 28 without
    labels, 64 to 128 in 2D) along its longest edge and the moving volume at most 192.
    """
    if settings.search_voxel_nm is not None:
        return settings.search_voxel_nm
    longest = float(fixed.grid.extent_zyx_nm.max())
    flat = min(fixed.grid.shape_zyx) == 1
    fewest, most = (64, 128) if flat else (22, 36) if fixed.labels is not None else (16, 28)
    wanted = float(np.clip(3.3 * fixed.radius_nm, longest / most, longest / fewest))
    return max(wanted, float(moving_grid.extent_zyx_nm.max()) / 192)


def prior_stiffness(grid: Grid, size: int, strain: float = 0.03) -> float:
    """Return a bending weight for a deformation that is *strain* of the field.

    One over the bending energy per unknown of a wave of that amplitude with half the field as its
    wavelength.
    """
    extent = grid.extent_zyx_nm / 1000.0
    flat = np.array(grid.shape_zyx) == 1
    longest = float(extent.max())
    volume = float(np.prod(np.where(flat, 1.0, extent)))
    amplitude = strain * longest * 1000.0
    curvature = amplitude * (2 * np.pi / (longest / 2)) ** 2
    return (size / 3) / (3 * volume * curvature**2)


class PoseSearch:
    """Tiers of pose search for one channel, each wider than the last.

    Parameters
    ----------
    fixed, moving : features
    blur_zyx_nm : (3,) array
        Blur of the moving image.
    settings : Settings
    expected_scale : float
    both_signs : bool
        Whether structures may be dark in the moving image.
    try_everything : bool
        Whether all rotations are tried when the optical-axis search does not convince.
    progress : Progress

    Attributes
    ----------
    outcome : SearchOutcome or None
        After the tiers so far; None when there was nothing to correlate.
    """

    def __init__(
        self,
        fixed: FixedFeatures,
        moving: MovingFeatures,
        *,
        blur_zyx_nm: FloatArray,
        settings: Settings,
        expected_scale: float,
        both_signs: bool,
        try_everything: bool,
        progress: Progress = no_progress,
    ) -> None:
        voxel = search_voxel_nm(fixed, moving.grid, settings)
        self._blur = voxel / 2
        self._template, self._grid = fixed.template(max(voxel / 4, 1e-9), blur_zyx_nm)
        self._coarse = coarse_grid(moving.grid, voxel)
        self._image = resample_to(
            gaussian_blur_nm(moving.image, self._blur, moving.grid.voxel_size_zyx_nm),
            moving.grid,
            self._coarse,
        )
        self._soft = gaussian_blur_nm(self._template, self._blur, self._grid.voxel_size_zyx_nm)
        self._moving, self._settings = moving, settings
        self._both_signs, self._progress = both_signs, progress
        self._tiers = _tiers(self._grid, voxel, settings, expected_scale, try_everything)
        self._pool: list[Pose] = []
        self._done: list[str] = []
        self.outcome: SearchOutcome | None = None

    @property
    def exhausted(self) -> bool:
        """Whether all tiers have been searched."""
        return not self._tiers

    @property
    def convincing(self) -> bool:
        """Whether one pose stands out."""
        return self.outcome is not None and self.outcome.confidence >= CONVINCING

    def advance(self) -> None:
        """Search the next tier, and choose among all poses so far."""
        name, linears = self._tiers.pop(0)
        self._pool += search_pose(
            self._image,
            self._coarse,
            self._soft,
            self._grid,
            linears,
            minimum_overlap=self._settings.minimum_overlap,
            mirrored=True,
            both_signs=self._both_signs,
            keep=60,
            stage=f"pose search ({name})",
            progress=self._progress,
        )
        self._done.append(name)
        if not self._pool:
            return
        self._pool.sort(key=lambda p: -p.score)
        self.outcome = _choose(
            self._pool,
            self._moving,
            self._template,
            self._grid,
            self._blur,
            self._settings,
            tuple(self._done),
            self._progress,
        )

    def agreement_at(self, pose: Candidate) -> float:
        """Return the correlation near a pose that another channel found."""
        refined = refine_poses(
            [Pose(pose.affine.linear, pose.affine.translation_zyx_nm, 0.0, pose.sign)],
            self._moving.image,
            self._moving.grid,
            self._template,
            self._grid,
            blurs_nm=(self._blur, 0.7 * self._blur),
            keep=(1, 1),
        )
        return refined[0].correlation if refined else 0.0


def _tiers(
    grid: Grid, voxel: float, settings: Settings, expected_scale: float, try_everything: bool
) -> list[tuple[str, list[FloatArray]]]:
    """Return names and linear parts, in the order in which they are searched."""
    span = sorted(grid.extent_zyx_nm)[-1]
    step = float(np.clip(2 * 1.55 * voxel / span, np.deg2rad(4), np.deg2rad(14)))
    tilt = float(np.clip(1.25 * step, np.deg2rad(9), np.deg2rad(14)))
    flat = min(grid.shape_zyx) == 1
    max_tilt = 0.0 if flat else np.deg2rad(settings.max_tilt_deg)
    near = optical_axis_rotations(step, tilt, min(tilt, max_tilt) + 1e-6)
    rough = 1.3 * step
    within = len(optical_axis_rotations(rough, tilt, min(tilt, max_tilt) + 1e-6))
    outer = optical_axis_rotations(rough, tilt, max_tilt + 1e-6)[within:]
    # a section is searched at finer detail, so a scale must be closer; it is also cheap
    scales = (0.8, 0.86, 0.91, 0.955, 1.05, 1.11, 1.2) if flat else (0.84, 1.18)
    tiers: list[tuple[str, list[FloatArray]]] = [
        ("optical axis", [expected_scale * r for r in near]),
        ("other scales", [s * expected_scale * r for s in scales for r in near]),
    ]
    if outer:
        tiers.append(("larger tilts", [s * expected_scale * r for s in (0.92, 1.1) for r in outer]))
    if try_everything and not flat:
        count = int(np.clip(8 * np.pi**2 / (1.3 * step) ** 3, 600, 5000))
        tiers.append(("all rotations", [expected_scale * r for r in uniform_rotations(count)]))
    if settings.any_orientation and not flat:
        tiers = tiers[-1:]
    return tiers


def _choose(
    pool: list[Pose],
    moving: MovingFeatures,
    template: FloatImage,
    template_grid: Grid,
    blur: float,
    settings: Settings,
    tiers: tuple[str, ...],
    progress: Progress,
) -> SearchOutcome | None:
    refined = refine_poses(
        pool[:32],
        moving.image,
        moving.grid,
        template,
        template_grid,
        blurs_nm=(blur, 0.7 * blur),
        keep=(14, 14),
        progress=progress,
    )
    refined = [c for c in refined if c.overlap > 0.7 * settings.minimum_overlap]
    if not refined:
        return None
    longest = float(template_grid.extent_zyx_nm.max())
    refined = _spread(refined, template_grid, settings.candidates)
    spacing = longest / 2.5
    probe = 3 * int(np.prod(np.maximum(template_grid.extent_zyx_nm / spacing, 0) + 3))
    ranked = compare_candidates(
        refined,
        moving.image,
        moving.grid,
        template,
        template_grid,
        blur_nm=0.75 * blur,
        spacing_nm=spacing,
        stiffness=prior_stiffness(template_grid, probe),
        progress=progress,
    )
    ranked, mirror = prefer_proper(ranked)
    confidence = pose_confidence(ranked, template_grid)
    return SearchOutcome(ranked[0], confidence, tuple(ranked), tiers, mirror)


def same_place(a: Candidate, b: Candidate, grid: Grid) -> bool:
    """Return whether two poses are within reach of one deformation: a fifth of the field."""
    corners = grid.corners()
    distance = np.sqrt(((a.affine.apply(corners) - b.affine.apply(corners)) ** 2).sum(1).mean())
    return bool(distance < 0.2 * grid.extent_zyx_nm.max() * abs(_scale(a)))


def _scale(c: Candidate) -> float:
    return float(np.cbrt(np.linalg.det(c.affine.linear)))


def _spread(refined: list[Candidate], grid: Grid, count: int) -> list[Candidate]:
    """Return, for either handedness, the best poses of the best place and of other places."""
    out: list[Candidate] = []
    for mirror in (False, True):
        hand = [c for c in refined if c.is_mirror == mirror]
        if not hand:
            continue
        out += [c for c in hand if same_place(c, hand[0], grid)][:2]
        elsewhere: list[Candidate] = []
        for c in hand:
            if not any(same_place(c, k, grid) for k in (hand[0], *elsewhere)):
                elsewhere.append(c)
        out += elsewhere[: max(count - 1, 1)]
    return out


def prefer_proper(ranked: list[Candidate]) -> tuple[list[Candidate], float | None]:
    """Put the better handedness first; a mirror must be clearly better than no mirror.

    Symmetric specimens fit their own mirror image about as well, and imaging does not mirror, so
    a mirror needs a score a tenth above.

    Returns
    -------
    ranked, mirror_score
        Candidates with the chosen handedness first; the score of the best mirror, or None.
    """
    proper = [c for c in ranked if not c.is_mirror]
    mirror = [c for c in ranked if c.is_mirror]
    if not mirror:
        return ranked, None
    if proper and mirror[0].score < 1.1 * proper[0].score:
        return proper + mirror, mirror[0].score
    return mirror + proper, mirror[0].score


def pose_confidence(ranked: list[Candidate], grid: Grid) -> float:
    """Return 0 to 1 from the relative margin between the best and the best different pose.

    The margin is ``(best - second) / best`` of the correlation after the same coarse deformation.
    A correlation below 0.28 is no evidence at all: unrelated samples reach it.
    A mirror at the same place is no rival of a proper pose, since symmetric specimens fit their own
    mirror image; one at another place is.
    """
    best = ranked[0].score
    hand = ranked[0].is_mirror
    others = [
        c.score
        for c in ranked[1:]
        if not same_place(c, ranked[0], grid)
        and not (hand is False and c.is_mirror and _same_centre(c, ranked[0], grid))
    ]
    if best <= _NOTHING:
        return 0.0
    margin = (best - max(max(others, default=0.0), 0.0)) / best
    # a place known by a small part of the field is a doubtful one
    shared = np.clip((ranked[0].overlap - 0.4) / 0.25, 0.0, 1.0)
    clear = np.clip((margin - 0.05) / 0.30, 0.0, 1.0)
    return float(min(clear, np.clip((best - _NOTHING) / 0.2, 0, 1), shared))


def _same_centre(a: Candidate, b: Candidate, grid: Grid) -> bool:
    """Return whether the field's centre comes to lie within a fifth of the field."""
    centre = grid.centre_zyx_nm[None]
    distance = float(np.linalg.norm(a.affine.apply(centre) - b.affine.apply(centre)))
    return distance < 0.2 * float(grid.extent_zyx_nm.max()) * abs(_scale(b))
