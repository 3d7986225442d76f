"""The X-ray phantom: a tissue block in micro-CT and an EM sub-volume of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from clemkit.geometry import Grid, Space
from clemkit.landmarks import LandmarkPairs, LandmarkSet
from clemkit.testing.clem import grid_of_size
from clemkit.testing.em_image import smooth_noise
from clemkit.testing.field_draws import random_fields
from clemkit.testing.fields import BendField
from clemkit.testing.spec import XraySpec
from clemkit.testing.truth import TruthMap, random_linear
from clemkit.testing.xray_scene import TissueVolumes, grow_tissue, render_tissue
from clemkit.volumes import Volume

__all__ = ["XrayPhantom", "make_xray_phantom"]

_HELDOUT = 800


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class XrayPhantom:
    """A micro-CT block, an EM volume from inside it, and the exact map between them.

    Attributes
    ----------
    em : Volume
        Grey values, uint8.
    em_nuclei, em_vessels : Volume
        Instance labels with missed objects, and a mask.
    ct : Volume
        Grey values, uint16.
    truth : TruthMap
        EM to CT.
    heldout : LandmarkPairs
        Points of the neuropil, away from nuclei and vessels.
    info : dict
        What was drawn and reached.
    """

    em: Volume
    em_nuclei: Volume
    em_vessels: Volume
    ct: Volume
    truth: TruthMap
    heldout: LandmarkPairs
    info: dict[str, Any]


def _draw_truth(
    rng: np.random.Generator, spec: XraySpec
) -> tuple[TruthMap, Grid, Grid, dict[str, Any]]:
    em, ct = Space("em"), Space("ct")
    em_grid = grid_of_size(em, spec.em_size_zyx_nm, spec.em_voxel_zyx_nm)
    ct_grid = grid_of_size(ct, spec.block_size_zyx_nm, spec.ct_voxel_zyx_nm)
    linear, rotation, tilt = random_linear(
        rng,
        rotation_max_deg=spec.rotation_max_deg,
        tilt_max_deg=spec.tilt_max_deg,
        scale_zyx=1 + rng.uniform(-1, 1, 3) * spec.scale_max,
        z_flip=spec.z_flip,
    )
    size, block = np.array(spec.em_size_zyx_nm), np.array(spec.block_size_zyx_nm)
    centre = em_grid.centre_zyx_nm
    across = rng.uniform(0, 2 * np.pi)
    bend = BendField(
        centre,
        np.array([np.cos(across), np.sin(across)]),
        float(spec.bend_nm * rng.choice([-1, 1])),
        0.5 * float(size[1:].max()),
    )
    fields, rms, least = random_fields(
        rng,
        spec.family,
        block_zyx_nm=np.stack([centre - size / 2, centre + size / 2]),
        domain_zyx_nm=np.stack([centre - 0.65 * size, centre + 0.65 * size]),
        scale_nm=spec.field_scale_nm,
        rms_nm=spec.field_rms_nm,
        extra=(bend,),
    )
    # the block must hold the EM volume: no corner may come closer than 2 um to a face
    half = (
        np.abs(linear) @ (size / 2)
        + 3 * spec.field_rms_nm
        + 2 * spec.bend_nm * np.array([1.0, 0.3, 0.3])
    )
    room = np.maximum(block / 2 - half - 2000, 0)
    offset = rng.uniform(-1, 1, 3) * np.minimum(room, spec.offset_max_nm)
    truth = TruthMap(em, ct, linear, centre, ct_grid.centre_zyx_nm + offset, fields)
    info = {
        "rotation_deg": rotation,
        "tilt_deg": tilt,
        "field_rms_nm": rms,
        "jacobian_min": least,
        "offset_zyx_nm": [float(o) for o in offset],
    }
    return truth, em_grid, ct_grid, info


def _mapped_lattice(truth: TruthMap, grid: Grid, step: int) -> np.ndarray[Any, Any]:
    """Map every voxel ``(z, y, x, 3)``: exact on every *step*-th one, linear between.

    The fields vary over tens of micrometres and the step is about one, so the linear part between
    is exact to a nanometre or two: far below a voxel.
    """
    counts = [-(-n // step) + 1 for n in grid.shape_zyx]
    coarse = Grid(
        space=grid.space,
        shape_zyx=(counts[0], counts[1], counts[2]),
        voxel_size_zyx_nm=tuple(step * v for v in grid.voxel_size_zyx_nm),  # type: ignore[arg-type]
        origin_zyx_nm=grid.origin_zyx_nm,
    )
    out = truth.apply_points(coarse.points()).reshape(*counts, 3).astype(np.float32)
    for axis, n in enumerate(grid.shape_zyx):
        where = np.arange(n) / step
        left = where.astype(int)
        shape = [1, 1, 1, 1]
        shape[axis] = n
        share = (where - left).astype(np.float32).reshape(shape)
        out = (1 - share) * np.take(out, left, axis) + share * np.take(out, left + 1, axis)
    return out


def _sampled(
    volume: np.ndarray[Any, Any], index: np.ndarray[Any, Any], order: int
) -> np.ndarray[Any, Any]:
    from scipy.ndimage import map_coordinates

    return map_coordinates(volume, index, order=order, mode="nearest", prefilter=False)


def _ct_image(
    rng: np.random.Generator,
    grid: Grid,
    tissue: TissueVolumes,
    neuropil: Any,
    signal_to_noise: float,
) -> np.ndarray[Any, np.dtype[np.uint16]]:
    from scipy.ndimage import gaussian_filter

    voxel = np.array(grid.voxel_size_zyx_nm)
    fine = smooth_noise(rng, grid.shape_zyx, tuple(900.0 / voxel))
    image = 100 + 4 * neuropil + 4.5 * fine
    soft = float(voxel.mean()) / 4
    inside = 1 / (1 + np.exp(np.clip(tissue.nuclear_nm / soft, -30, 30)))
    image += inside * (80 - image)
    image += 13 * np.exp(-0.5 * (tissue.nuclear_nm / 350.0) ** 2)
    image -= 20 * (tissue.nuclear_nm < -2100)  # nucleolus-sized dark core of the large nuclei
    lumen = 1 / (1 + np.exp(np.clip(tissue.vessel_nm / soft, -30, 30)))
    image += lumen * (42 - image)
    image += 20 * np.exp(-0.5 * ((tissue.vessel_nm - 350) / 350.0) ** 2)
    image = gaussian_filter(image, 0.85)
    # phase contrast: a bright fringe around dark things
    image += 0.45 * (image - gaussian_filter(image, 2.2))
    noise = smooth_noise(rng, grid.shape_zyx, (0.6, 0.6, 0.6))
    image += noise * (20.0 / signal_to_noise)
    z, y, x = grid.shape_zyx
    cy, cx = y * rng.uniform(0.4, 0.6), x * rng.uniform(0.4, 0.6)
    radius = np.hypot(np.arange(y)[:, None] - cy, np.arange(x)[None] - cx)
    rings = rng.normal(0, 1.3, int(radius.max()) + 2)
    cupping = 7 * (radius / radius.max()) ** 2
    image += (rings[radius.astype(int)] + cupping).astype(np.float32)
    image += rng.normal(0, 0.4, z).astype(np.float32)[:, None, None]
    return np.clip(np.rint(image * 180), 0, 65535).astype(np.uint16)


def make_xray_phantom(spec: XraySpec) -> XrayPhantom:
    """Make a micro-CT and EM phantom; the same spec gives the same bytes.

    The tissue lives in the CT frame. The EM volume looks into it through the truth.

    Parameters
    ----------
    spec : XraySpec

    Returns
    -------
    XrayPhantom

    Raises
    ------
    FoldingError
        The wished deformation folds even when weakened to a tenth.
    """
    seeds = np.random.SeedSequence([spec.seed, 0xC7]).spawn(4)
    pose, scene, em_rng, ct_rng = (np.random.default_rng(s) for s in seeds)
    truth, em_grid, ct_grid, info = _draw_truth(pose, spec)
    tissue = grow_tissue(scene, np.array(spec.block_size_zyx_nm))
    in_ct = render_tissue(tissue, ct_grid)
    ct_voxel = np.array(ct_grid.voxel_size_zyx_nm)
    neuropil = smooth_noise(scene, ct_grid.shape_zyx, tuple(2600.0 / ct_voxel))
    ct = _ct_image(ct_rng, ct_grid, in_ct, neuropil, spec.ct_signal_to_noise)

    mapped = _mapped_lattice(truth, em_grid, 4)
    index = np.moveaxis((mapped - np.array(ct_grid.origin_zyx_nm)) / ct_voxel, -1, 0)
    shape, voxel = em_grid.shape_zyx, np.array(em_grid.voxel_size_zyx_nm)
    nuclear = _sampled(in_ct.nuclear_nm, index, 1)
    vessel = _sampled(in_ct.vessel_nm, index, 1)
    number = _sampled(in_ct.nuclei, index, 0)
    fine = smooth_noise(em_rng, shape, tuple(500.0 / voxel))
    grain = smooth_noise(em_rng, shape, tuple(120.0 / voxel))
    grey = 150 + 4 * _sampled(neuropil, index, 1) + 9 * fine + 9 * grain
    wide = float(voxel[1:].mean())
    grey = np.where(nuclear < 0, 158 + 9 * fine - 16 * (fine > 0.9), grey)
    grey -= 45 * np.exp(-0.5 * (nuclear / (0.5 * wide)) ** 2)
    grey = np.where(vessel < 0, 224, grey)
    grey -= 60 * np.exp(-0.5 * ((vessel - 0.7 * wide) / wide) ** 2)
    gain = em_rng.normal(1, 0.018, shape[0])
    grey = grey * gain[:, None, None] + 7 * em_rng.standard_normal(shape, dtype=np.float32)

    labels = np.where(nuclear < 0, number, 0)
    seen = np.unique(labels[labels > 0])
    missed = em_rng.choice(seen, int(spec.missed_fraction * len(seen)), replace=False)
    wander = 220 * smooth_noise(em_rng, shape, tuple(1500.0 / voxel))
    segmented = np.where((nuclear + wander < 0) & ~np.isin(number, missed), number, 0)

    low = np.array(em_grid.origin_zyx_nm) + 1000
    tries = low + pose.random((8000, 3)) * (em_grid.extent_zyx_nm - voxel - 2000)
    at = np.rint(em_grid.to_index(tries)).astype(int)
    free = (nuclear[tuple(at.T)] > 300) & (vessel[tuple(at.T)] > 300)
    fixed = tries[free][:_HELDOUT]
    ids = tuple(f"neuropil-{n:03d}" for n in range(len(fixed)))
    info |= {
        "seed": spec.seed,
        "nuclei_em": len(seen),
        "nuclei_ct": len(tissue.nuclei_zyx_nm),
        "missed": len(missed),
        "block_share": float(np.prod(em_grid.extent_zyx_nm) / np.prod(ct_grid.extent_zyx_nm)),
    }
    return XrayPhantom(
        em=Volume(
            data=np.clip(np.rint(grey), 0, 255).astype(np.uint8), grid=em_grid, modality="em"
        ),
        em_nuclei=Volume(
            data=segmented.astype(np.uint16), grid=em_grid, modality="em", role="labels"
        ),
        em_vessels=Volume(
            data=(vessel < 0).astype(np.uint8), grid=em_grid, modality="em", role="mask"
        ),
        ct=Volume(data=ct, grid=ct_grid, modality="xray_ct"),
        truth=truth,
        heldout=LandmarkPairs(
            fixed=LandmarkSet(space=truth.source, ids=ids, points_zyx_nm=fixed),
            moving=LandmarkSet(
                space=truth.target, ids=ids, points_zyx_nm=truth.apply_points(fixed)
            ),
        ),
        info=info,
    )
