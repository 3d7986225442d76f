"""An LM stack with known truth from real organelles: segment once, image as often as you like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clemkit.errors import ArgumentError
from clemkit.geometry import FloatArray, Grid, Space, Triple, as_triple
from clemkit.landmarks import LandmarkPairs, LandmarkSet
from clemkit.testing.clem import ClemPhantom, grid_of_size
from clemkit.testing.em_image import smooth_noise
from clemkit.testing.field_draws import random_fields
from clemkit.testing.lm_image import Camera, expose
from clemkit.testing.psf import point_spread
from clemkit.testing.spec import FieldFamily, PsfKind
from clemkit.testing.truth import TruthMap, random_linear
from clemkit.volumes import Volume

__all__ = ["LabelLmSpec", "lm_from_labels"]

_FWHM_PER_SIGMA = 2.3548
_EMITTERS = 1_500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelLmSpec:
    """How an LM stack is made from given labels.

    Attributes
    ----------
    seed : int
    scale_range : tuple of float
        Isotropic scale EM to LM; each axis deviates by up to 4 % on top.
    rotation_max_deg, tilt_max_deg : float
    z_flip : bool
        Mirror along z.
    family : {"rbf", "swelling", "shear", "tear", "mixed"}
    field_fraction_range : tuple of float
        RMS of the deformation over the mean lateral extent.
    dropped_fraction_range : tuple of float
        Share of the objects that LM does not show.
    false_fraction : float
        Objects in LM without a counterpart, as a share of the objects.
    lm_voxel_zyx_nm : tuple of float
    psf, psf_fwhm_lateral_nm, psf_fwhm_axial_nm : kind and full widths at half maximum
    peak_photons : float
    """

    seed: int = 0
    scale_range: tuple[float, float] = (0.8, 1.3)
    rotation_max_deg: float = 180.0
    tilt_max_deg: float = 5.0
    z_flip: bool = False
    family: FieldFamily = "rbf"
    field_fraction_range: tuple[float, float] = (0.02, 0.05)
    dropped_fraction_range: tuple[float, float] = (0.1, 0.4)
    false_fraction: float = 0.1
    lm_voxel_zyx_nm: Triple = (300.0, 100.0, 100.0)
    psf: PsfKind = "asymmetric"
    psf_fwhm_lateral_nm: float = 200.0
    psf_fwhm_axial_nm: float = 600.0
    peak_photons: float = 60.0

    def __post_init__(self) -> None:
        low, high = self.scale_range
        if not 0 < low <= high:
            raise ArgumentError(
                f"LabelLmSpec.scale_range: expected 0 < low <= high; found {low, high}"
            )
        for name in ("field_fraction_range", "dropped_fraction_range"):
            low, high = getattr(self, name)
            if not 0 <= low <= high < 1:
                raise ArgumentError(
                    f"LabelLmSpec.{name}: expected 0 <= low <= high < 1; found {low, high}"
                )
        if min(as_triple(self.lm_voxel_zyx_nm, "LabelLmSpec.lm_voxel_zyx_nm")) <= 0:
            raise ArgumentError("LabelLmSpec.lm_voxel_zyx_nm: expected values > 0")
        if min(self.psf_fwhm_lateral_nm, self.psf_fwhm_axial_nm, self.peak_photons) <= 0:
            raise ArgumentError("LabelLmSpec: expected psf widths and peak_photons > 0")
        if not 0 <= self.false_fraction < 1 or self.seed < 0:
            raise ArgumentError("LabelLmSpec: expected 0 <= false_fraction < 1 and seed >= 0")


def _draw_truth(
    rng: np.random.Generator, spec: LabelLmSpec, grid: Grid
) -> tuple[TruthMap, Grid, dict[str, Any]]:
    size, centre = grid.extent_zyx_nm, grid.centre_zyx_nm
    scale = rng.uniform(*spec.scale_range) * rng.uniform(0.96, 1.04, 3)
    linear, rotation, tilt = random_linear(
        rng,
        rotation_max_deg=spec.rotation_max_deg,
        tilt_max_deg=spec.tilt_max_deg,
        scale_zyx=scale,
        z_flip=spec.z_flip,
    )
    lateral = float(size[1:].mean())
    rms = rng.uniform(*spec.field_fraction_range) * lateral
    low, high = centre - 0.55 * size, centre + 0.55 * size
    fields, reached, least = random_fields(
        rng,
        spec.family,
        block_zyx_nm=np.stack([low, high]),
        domain_zyx_nm=np.stack([low, high]),
        scale_nm=0.3 * lateral,
        rms_nm=rms,
    )
    lm = Space("lm")
    flat = TruthMap(grid.space, lm, linear, centre, np.zeros(3), fields)
    face = grid.resample((float(size[0] / 4), float(size[1] / 24), float(size[2] / 24)))
    reach = flat.apply_points(np.concatenate([face.points(), grid.corners()]))
    # the field of view holds the whole object and a margin, and is not centred on it
    spread = point_spread_widths(spec)
    margin = 3 * np.array([spread[1], spread[0], spread[0]]) + rng.uniform(300, 2500, 3)
    shift = reach.min(axis=0) - margin
    field = reach.max(axis=0) - shift + 3 * np.array([spread[1], spread[0], spread[0]])
    truth = TruthMap(grid.space, lm, linear, centre, -shift, fields)
    info = {
        "seed": spec.seed,
        "scale_zyx": [float(s) for s in scale],
        "rotation_deg": rotation,
        "tilt_deg": tilt,
        "field_rms_nm": reached,
        "jacobian_min": least,
    }
    return truth, grid_of_size(lm, field, spec.lm_voxel_zyx_nm), info


def point_spread_widths(spec: LabelLmSpec) -> tuple[float, float]:
    """Return lateral and axial sigma (nm) of a specification."""
    return spec.psf_fwhm_lateral_nm / _FWHM_PER_SIGMA, spec.psf_fwhm_axial_nm / _FWHM_PER_SIGMA


def _emitters(
    rng: np.random.Generator, voxels: NDArray[np.int64], grid: Grid, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Put fluorophores at random places of labelled voxels ``(N, 3)``."""
    if len(voxels) > _EMITTERS:
        chosen = rng.choice(len(voxels), _EMITTERS, replace=False)
        voxels, weights = voxels[chosen], weights[chosen]
    inside = rng.random((len(voxels), 3)) - 0.5
    return grid.to_physical(voxels + inside), weights


def lm_from_labels(
    labels: NDArray[np.integer[Any]], grid: Grid, spec: LabelLmSpec | None = None
) -> ClemPhantom:
    """Image real EM labels as an LM stack through a known random map.

    Some objects are dropped from LM, blurred false ones are added between the real ones.
    ``lm_heldout`` shows the dropped objects alone; ``em`` is a plain grey rendering of the labels.

    Parameters
    ----------
    labels : (z, y, x) integer array
        Instances, zero is background.
    grid : Grid
        Where the labels are.
    spec : LabelLmSpec, optional

    Returns
    -------
    ClemPhantom
        ``em_nuclei`` is empty and ``em_cells`` covers the surroundings of the organelles. Held-out
        points lie in the cytosol (``cytosol-…``) and in the dropped objects (``dropped-…``).

    Raises
    ------
    ArgumentError
        The labels do not fit the grid or hold fewer than two objects.
    FoldingError
        The wished deformation folds even when weakened to a tenth.
    """
    from scipy.ndimage import distance_transform_edt

    spec = spec or LabelLmSpec()
    labels = np.asarray(labels)
    if labels.shape != grid.shape_zyx or labels.dtype.kind not in "ui":
        raise ArgumentError(
            f"lm_from_labels: expected integer labels of shape {grid.shape_zyx}; "
            f"found {labels.dtype} {labels.shape}"
        )
    voxels = np.argwhere(labels > 0)
    owner = labels[tuple(voxels.T)].astype(np.int64)
    ids = np.unique(owner)
    if len(ids) < 2:
        raise ArgumentError(
            f"lm_from_labels: expected at least two labelled objects; found {len(ids)}"
        )
    seeds = np.random.SeedSequence([spec.seed, 0x1AB]).spawn(3)
    pose, dye, grey_rng = (np.random.default_rng(s) for s in seeds)
    truth, lm_grid, info = _draw_truth(pose, spec, grid)

    share = dye.uniform(*spec.dropped_fraction_range)
    dropped = dye.choice(ids, round(share * len(ids)), replace=False)
    brightness = dye.lognormal(0, 0.3, int(ids.max()) + 1)
    brightness[dropped] = 0.0
    lit = brightness[owner] > 0
    sigma = point_spread_widths(spec)
    spread = point_spread(spec.psf, *sigma)
    camera = Camera(peak_photons=spec.peak_photons)
    light = _emitters(dye, voxels[lit], grid, brightness[owner[lit]])

    voxel = np.array(grid.voxel_size_zyx_nm)
    apart = distance_transform_edt(labels == 0, sampling=voxel)
    cytosol = np.argwhere((apart > 300) & (apart < 1500))
    n_false = round(spec.false_fraction * len(ids)) if len(cytosol) else 0
    false = np.zeros((0, 3))
    if n_false:
        seats = grid.to_physical(cytosol[dye.choice(len(cytosol), n_false)].astype(np.float64))
        per = max(len(light[0]) // len(ids), 1)
        size = np.repeat(dye.uniform(110, 280, (n_false, 1)) * [0.6, 1.0, 1.4], per, axis=0)
        false = np.repeat(seats, per, axis=0) + size * dye.normal(size=(n_false * per, 3))
    pale = (false, np.full(len(false), 0.4 * float(light[1].mean())))
    stack = expose(dye, [light, pale], truth, lm_grid, spread, camera)
    lost = _emitters(dye, voxels[~lit], grid, np.ones(int((~lit).sum())))
    held = expose(dye, [lost], truth, lm_grid, spread, camera)

    points, names = [], []
    for kind, pool in (("cytosol", cytosol), ("dropped", voxels[~lit])):
        n = min(400, len(pool))
        if n:
            points.append(
                grid.to_physical(pool[pose.choice(len(pool), n, replace=False)].astype(float))
            )
            names += [f"{kind}-{i:03d}" for i in range(n)]
    fixed = np.concatenate(points) if points else np.zeros((0, 3))
    grain = smooth_noise(grey_rng, grid.shape_zyx, tuple(np.clip(40 / voxel, 0.3, 2)))
    inside = distance_transform_edt(labels > 0, sampling=voxel)
    grey = np.where(labels > 0, 118.0, 168.0) + 7 * grain
    grey -= 45 * ((inside > 0) & (inside < 1.5 * voxel.max()))
    info |= {
        "objects": len(ids),
        "dropped": len(dropped),
        "false": n_false,
    }

    def volume(data: NDArray[Any]) -> Volume:
        return Volume(data=data, grid=grid, modality="em", role="labels")

    return ClemPhantom(
        em=Volume(data=np.clip(np.rint(grey), 0, 255).astype(np.uint8), grid=grid, modality="em"),
        em_mitochondria=volume(labels),
        em_mitochondria_true=volume(labels),
        em_nuclei=volume(np.zeros(grid.shape_zyx, dtype=np.uint16)),
        em_cells=volume((apart < 1500).astype(np.uint16)),
        lm=Volume(data=stack[None], grid=lm_grid, modality="lm", channels=("mitochondria",)),
        lm_heldout=Volume(data=held, grid=lm_grid, modality="lm"),
        truth=truth,
        heldout=LandmarkPairs(
            fixed=LandmarkSet(space=truth.source, ids=tuple(names), points_zyx_nm=fixed),
            moving=LandmarkSet(
                space=truth.target, ids=tuple(names), points_zyx_nm=truth.apply_points(fixed)
            ),
        ),
        info=info,
    )
