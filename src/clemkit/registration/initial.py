"""Going on from a transform that is given, after asking whether the images agree with it.

The affine part is taken by least squares over the fixed field and the rest goes into a lattice.
Neighbouring turns are tried at every shift, so that an offset is caught and a better place is
seen; where the images do not speak clearly for the given place, the usual search is asked too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from clemkit.errors import ArgumentError
from clemkit.geometry import FloatArray, Grid
from clemkit.provenance import Progress, no_progress
from clemkit.registration.candidates import Candidate, compare_candidates, refine_poses
from clemkit.registration.features import FixedFeatures, MovingFeatures
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.intensity import gaussian_blur_nm
from clemkit.registration.matching import coarse_grid
from clemkit.registration.pose_search import Pose, search_pose
from clemkit.registration.pull import AffineMap, resample_to
from clemkit.registration.rotations import optical_axis_rotations
from clemkit.registration.search import (
    CONVINCING,
    PoseSearch,
    SearchOutcome,
    pose_confidence,
    prior_stiffness,
    same_place,
    search_voxel_nm,
)
from clemkit.registration.settings import Settings
from clemkit.transforms import Transform, fit_affine

__all__ = ["Initial", "find_near", "split_initial"]

_KEEP = 0.98  # of the best score near it: then the given deformation is kept
_REST_NM = 1.0  # a smaller rest is rounding


@dataclass(frozen=True, slots=True, eq=False)
class Initial:
    """A given start.

    Attributes
    ----------
    affine : AffineMap
        Least squares over the fixed field.
    lattice, coefficients
        The rest, in the fixed frame; None where the transform is affine.
    trusted : bool
        Whether it is taken without asking the images.
    what : str
        Name for messages.
    """

    affine: AffineMap
    lattice: FfdLattice | None = None
    coefficients: FloatArray | None = None
    trusted: bool = False
    what: str = "initial transform"


def split_initial(
    transform: Transform, grid: Grid, spacing_nm: float, *, trusted: bool = False
) -> Initial:
    """Return the affine part of a transform over a grid, and the rest on a lattice.

    Parameters
    ----------
    transform : Transform
        Fixed → moving.
    grid : Grid
        Fixed field.
    spacing_nm : float
        Control spacing of the rest.
    trusted : bool

    Raises
    ------
    ArgumentError
        The transform has no finite values in the fixed field.
    """
    field = np.maximum(grid.extent_zyx_nm, grid.voxel_size_zyx_nm)
    lattice = FfdLattice(
        grid=coarse_grid(grid, float(spacing_nm) / 3),
        spacing_zyx_nm=(spacing_nm,) * 3,
        margin_zyx_nm=(spacing_nm / 4,) * 3,
    )
    axes = lattice.fit_axes()
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    # a dense field may end at the outer voxel centres
    low, high = grid.corners().min(axis=0), grid.corners().max(axis=0)
    inside = np.clip(points, low, high)
    mapped = transform.apply_points(inside)
    if not np.isfinite(mapped).all():
        raise ArgumentError(
            "initial: expected a transform that is finite in the whole fixed field, "
            f"{' x '.join(f'{v / 1000:.3g}' for v in field)} µm; found values that are not; "
            "check its direction (fixed to moving) and its unit"
        )
    affine = fit_affine(
        inside,
        mapped,
        source=transform.source,
        target=transform.target,
        allow_reflection=True,
        planar=min(grid.shape_zyx) == 1,
    )
    found = AffineMap(affine.linear, affine.translation_zyx_nm)
    rest = affine.inverse().apply_points(mapped) - inside
    rest[:, [a for a, n in enumerate(grid.shape_zyx) if n == 1]] = 0.0
    if np.abs(rest).max() < _REST_NM:
        return Initial(found, trusted=trusted)
    values = np.moveaxis(rest.reshape(*(len(a) for a in axes), 3), -1, 0)
    return Initial(found, lattice, lattice.fit_field(values), trusted)


def find_near(
    fixed: FixedFeatures,
    moving: MovingFeatures,
    initial: Initial,
    *,
    blur_zyx_nm: FloatArray,
    settings: Settings,
    expected_scale: float,
    both_signs: bool,
    progress: Progress = no_progress,
) -> tuple[SearchOutcome | None, str | None]:
    """Refine a given start and compare it with other places.

    Parameters are those of :class:`~clemkit.registration.search.PoseSearch`.

    Returns
    -------
    outcome, objection
        An objection says where the images fit clearly better.
    """
    voxel = search_voxel_nm(fixed, moving.grid, settings)
    blur = voxel / 2
    template, grid = fixed.template(max(voxel / 4, 1e-9), blur_zyx_nm)
    coarse = coarse_grid(moving.grid, voxel)
    image = resample_to(
        gaussian_blur_nm(moving.image, blur, moving.grid.voxel_size_zyx_nm), moving.grid, coarse
    )
    soft = gaussian_blur_nm(template, blur, grid.voxel_size_zyx_nm)
    given = initial.affine
    poses = search_pose(
        image,
        coarse,
        soft,
        grid,
        [given.linear @ turn for turn in _turns(voxel, grid)],
        minimum_overlap=settings.minimum_overlap,
        mirrored=False,
        both_signs=both_signs,
        keep=60,
        stage=f"pose search ({initial.what})",
        progress=progress,
    )
    signs = (1, -1) if both_signs else (1,)
    start = [Pose(given.linear, given.translation_zyx_nm, 1.0, sign) for sign in signs]
    near = [p for p in poses if _near(p, given, grid)][:8]
    far = [p for p in poses if not _near(p, given, grid)][:16]
    refined = refine_poses(
        [*start, *near, *([] if initial.trusted else far)],
        moving.image,
        moving.grid,
        template,
        grid,
        blurs_nm=(blur, 0.7 * blur),
        keep=(14, 14),
        progress=progress,
    )
    whole = [
        Candidate(given, sign, 0.0, 1.0, np.zeros((3, 3)), initial.lattice, initial.coefficients)
        for sign in signs
    ]
    refined = [c for c in refined if c.overlap > 0.7 * settings.minimum_overlap]
    near_by = [c for c in refined if _near(c.affine, given, grid)][:3]
    elsewhere: list[Candidate] = []
    for c in refined:
        known = any(same_place(c, k, grid) for k in elsewhere)
        if not known and not _near(c.affine, given, grid):
            elsewhere.append(c)
    longest = float(grid.extent_zyx_nm.max())
    spacing = longest / 2.5
    probe = 3 * int(np.prod(np.maximum(grid.extent_zyx_nm / spacing, 0) + 3))
    ranked = compare_candidates(
        [*whole, *near_by, *elsewhere[: max(settings.candidates - 1, 1)]],
        moving.image,
        moving.grid,
        template,
        grid,
        blur_nm=0.75 * blur,
        spacing_nm=spacing,
        stiffness=prior_stiffness(grid, probe),
        progress=progress,
    )
    mine = [c for c in ranked if _near(c.affine, given, grid)]
    kept = [c for c in mine if c.affine is given]
    best = kept[0] if kept and kept[0].score >= _KEEP * mine[0].score else mine[0]
    others = [c for c in ranked if not _near(c.affine, given, grid)]
    if best.overlap < 0.7 * settings.minimum_overlap:
        best = replace(best, correlation=0.0)
    confidence = pose_confidence([best, *others], grid)
    tiers: tuple[str, ...] = (initial.what,)
    outcome = SearchOutcome(best, confidence, (best, *others), tiers)
    if initial.trusted or confidence >= CONVINCING:
        return outcome, None
    if others and pose_confidence([others[0], best], grid) >= CONVINCING:
        return outcome, _objection(initial, best, others[0], grid)
    search = PoseSearch(
        fixed,
        moving,
        blur_zyx_nm=blur_zyx_nm,
        settings=settings,
        expected_scale=expected_scale,
        both_signs=both_signs,
        try_everything=False,
        progress=progress,
    )
    search.advance()
    asked = search.outcome
    if asked is None or asked.confidence < CONVINCING:
        return outcome, None
    if same_place(asked.best, best, grid) and asked.best.is_mirror == best.is_mirror:
        return replace(asked, tiers=(*tiers, *asked.tiers)), None
    return outcome, _objection(initial, best, asked.best, grid)


def _turns(voxel: float, grid: Grid) -> list[FloatArray]:
    """Return no turn, and turns and tilts by about the step of the search."""
    step = float(np.clip(1.55 * voxel / max(grid.extent_zyx_nm), np.deg2rad(2), np.deg2rad(7)))
    flat = min(grid.shape_zyx) == 1
    tilts = 0.0 if flat else step + 1e-6
    return [np.eye(3), *optical_axis_rotations(step, step, tilts, 2 * step)]


def _near(place: AffineMap | Pose, given: AffineMap, grid: Grid) -> bool:
    """Return whether a place is within a fifth of the field of the given one, and of its hand."""
    corners = grid.corners()
    apart = ((place.apply(corners) - given.apply(corners)) ** 2).sum(axis=1).mean() ** 0.5
    scale = abs(np.linalg.det(given.linear)) ** (1 / 3)
    hand = np.linalg.det(place.linear) * np.linalg.det(given.linear) > 0
    return bool(hand and apart < 0.2 * grid.extent_zyx_nm.max() * scale)


def _objection(initial: Initial, best: Candidate, other: Candidate, grid: Grid) -> str:
    centre = grid.centre_zyx_nm[None]
    away = np.linalg.norm(other.affine.apply(centre) - initial.affine.apply(centre)) / 1000
    turn = other.affine.linear @ np.linalg.inv(initial.affine.linear)
    u, _, vt = np.linalg.svd(turn)
    hand = np.sign(np.linalg.det(u @ vt))
    angle = np.rad2deg(np.arccos(np.clip((hand * np.trace(u @ vt) - 1) / 2, -1, 1)))
    mirror = ", mirrored" if hand < 0 else ""
    return (
        f"{initial.what}: expected the place where the images fit best; found one {away:.3g} µm "
        f"away and turned by {angle:.0f} degrees{mirror} that fits clearly better (correlation "
        f"{other.correlation:.2f} against {best.correlation:.2f}); check the file, its direction "
        "(fixed to moving) and its unit, leave it out to search, or pass --trust-initial"
    )
