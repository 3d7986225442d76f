"""The light and electron microscopy phantom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from clemkit.geometry import FloatArray, Grid, Space, Triple
from clemkit.landmarks import LandmarkPairs, LandmarkSet
from clemkit.testing.cells import grow_monolayer
from clemkit.testing.em_image import em_grey
from clemkit.testing.em_labels import segmented_nodes, segmented_volume, true_labels
from clemkit.testing.field_draws import random_fields
from clemkit.testing.lm_image import (
    Camera,
    cytosol_emitters,
    envelope_points,
    expose,
    nuclear_emitters,
    tube_emitters,
)
from clemkit.testing.organelles import Tubes, grow_bodies, grow_mitochondria, grow_reticulum
from clemkit.testing.psf import point_spread
from clemkit.testing.rendering import CellVolumes, render_cells, render_tubes
from clemkit.testing.spec import PhantomSpec
from clemkit.testing.truth import TruthMap, random_linear
from clemkit.volumes import Volume

__all__ = ["ClemPhantom", "make_clem_phantom"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClemPhantom:
    """An EM volume, an LM stack of the same cells, and the exact map between them.

    Attributes
    ----------
    em : Volume
        Grey values, uint8.
    em_mitochondria, em_nuclei, em_cells : Volume
        Instance labels as a (faulty) segmentation gives them.
    em_mitochondria_true : Volume
        Labels without errors.
    lm : Volume
        Channels ``mitochondria`` and ``nuclei``, uint16.
    lm_heldout : Volume
        The reticulum and the nuclear envelopes in LM; no registration may look at it.
    truth : TruthMap
        EM to LM.
    heldout : LandmarkPairs
        Fixed (EM) and moving (LM) points; ids begin with ``er``, ``envelope`` or ``membrane``.
    info : dict
        What was drawn and reached, for reports.
    """

    em: Volume
    em_mitochondria: Volume
    em_mitochondria_true: Volume
    em_nuclei: Volume
    em_cells: Volume
    lm: Volume
    lm_heldout: Volume
    truth: TruthMap
    heldout: LandmarkPairs
    info: dict[str, Any]


def grid_of_size(space: Space, size_zyx_nm: Triple | FloatArray, voxel_zyx_nm: Triple) -> Grid:
    """Return the grid of whole voxels closest to a size, origin zero."""
    z, y, x = (max(round(s / v), 1) for s, v in zip(size_zyx_nm, voxel_zyx_nm, strict=True))
    return Grid(space=space, shape_zyx=(z, y, x), voxel_size_zyx_nm=voxel_zyx_nm)


def _draw_truth(
    rng: np.random.Generator, spec: PhantomSpec
) -> tuple[TruthMap, Grid, Grid, dict[str, Any]]:
    em, lm = Space("em"), Space("lm")
    em_grid = grid_of_size(em, spec.em_size_zyx_nm, spec.em_voxel_zyx_nm)
    size = np.array(spec.em_size_zyx_nm)
    shrinkage = rng.uniform(*spec.shrinkage_range, 3)
    scale = 1 / (1 - shrinkage)
    linear, rotation, tilt = random_linear(
        rng,
        rotation_max_deg=spec.rotation_max_deg,
        tilt_max_deg=spec.tilt_max_deg,
        scale_zyx=scale,
        z_flip=spec.z_flip,
    )
    lean = np.sin(np.deg2rad(spec.tilt_max_deg)) * max(size[1:])
    field = np.array(
        [
            size[0] * 1.18 + 1500 + lean + 2 * spec.field_rms_nm,
            size[1] * spec.lm_field_factor,
            size[2] * spec.lm_field_factor,
        ]
    )
    lm_grid = grid_of_size(lm, field, spec.lm_voxel_zyx_nm)
    offset = rng.uniform(-1, 1, 3) * np.array([300.0, spec.offset_max_nm, spec.offset_max_nm])
    # all that the LM field can show, seen from the EM frame
    half = 0.5 * float(np.hypot(field[1], field[2])) + spec.offset_max_nm
    centre = em_grid.centre_zyx_nm
    reach = np.array([0.5 * field[0] + lean + 2000, half, half])
    fields, rms, least = random_fields(
        rng,
        spec.family,
        block_zyx_nm=np.stack([centre - size / 2, centre + size / 2]),
        domain_zyx_nm=np.stack([centre - reach, centre + reach]),
        scale_nm=spec.field_scale_nm,
        rms_nm=spec.field_rms_nm,
    )
    truth = TruthMap(em, lm, linear, centre, lm_grid.centre_zyx_nm + offset, fields)
    info = {
        "rotation_deg": rotation,
        "tilt_deg": tilt,
        "shrinkage_zyx": [float(s) for s in shrinkage],
        "field_rms_nm": rms,
        "jacobian_min": least,
    }
    return truth, em_grid, lm_grid, info


def _labels(data: np.ndarray[Any, Any], grid: Grid) -> Volume:
    return Volume(data=data, grid=grid, modality="em", role="labels")


def _membrane_points(
    rng: np.random.Generator, cells: CellVolumes, grid: Grid, count: int
) -> FloatArray:
    near = np.argwhere(np.abs(cells.depth_nm) < 0.6 * max(grid.voxel_size_zyx_nm))
    if len(near) > count:
        near = near[rng.choice(len(near), count, replace=False)]
    return grid.to_physical(near.astype(np.float64))


def _heldout(
    rng: np.random.Generator,
    truth: TruthMap,
    grid: Grid,
    reticulum: Tubes,
    envelope: FloatArray,
    membrane: FloatArray,
) -> LandmarkPairs:
    low = np.array(grid.origin_zyx_nm)
    high = low + grid.extent_zyx_nm - np.array(grid.voxel_size_zyx_nm)
    margin = np.minimum(200.0, 0.05 * (high - low))
    points, names = [], []
    wishes = (("er", reticulum.points_zyx_nm, 600), ("envelope", envelope, 150))
    for kind, candidates, wish in (*wishes, ("membrane", membrane, 150)):
        inside = np.all((candidates > low + margin) & (candidates < high - margin), axis=1)
        found = candidates[inside]
        if len(found) > wish:
            found = found[rng.choice(len(found), wish, replace=False)]
        points.append(found)
        names += [f"{kind}-{n:03d}" for n in range(len(found))]
    fixed = np.concatenate(points)
    ids = tuple(names)
    return LandmarkPairs(
        fixed=LandmarkSet(space=truth.source, ids=ids, points_zyx_nm=fixed),
        moving=LandmarkSet(space=truth.target, ids=ids, points_zyx_nm=truth.apply_points(fixed)),
    )


def make_clem_phantom(spec: PhantomSpec) -> ClemPhantom:
    """Make a light and electron microscopy phantom; the same spec gives the same bytes.

    Cells, nuclei and organelles are grown in the EM frame. The EM block is cut from them. The
    fluorophores are pushed through the truth point by point, so that no resampling blurs it.

    Parameters
    ----------
    spec : PhantomSpec
        Sizes, pose, deformation, labelling and imaging.

    Returns
    -------
    ClemPhantom

    Raises
    ------
    FoldingError
        The wished deformation folds even when weakened to a tenth.
    """
    # one stream for each part, so that a changed camera leaves the cells alone
    seeds = np.random.SeedSequence([spec.seed, 0xC1E]).spawn(5)
    pose, scene, em_rng, seg_rng, lm_rng = (np.random.default_rng(s) for s in seeds)
    truth, em_grid, lm_grid, info = _draw_truth(pose, spec)

    centre = em_grid.centre_zyx_nm
    radius = 0.5 * float(np.hypot(*lm_grid.extent_zyx_nm[1:])) + spec.offset_max_nm
    cells = grow_monolayer(scene, centre, radius, spec.cell_spacing_nm)
    corners = truth.inverse_affine_points(lm_grid.corners())
    low = np.minimum(corners.min(axis=0), em_grid.corners().min(axis=0))
    high = np.maximum(corners.max(axis=0), em_grid.corners().max(axis=0))
    reach = 1.1 * cells.reach_nm
    yx = cells.centres_yx_nm
    wanted = np.flatnonzero(np.all((yx > low[1:] - reach) & (yx < high[1:] + reach), axis=1))
    mitochondria = grow_mitochondria(scene, cells, wanted, spec.mitochondria_per_cell)
    reticulum = grow_reticulum(scene, cells, wanted, 200)
    bodies = grow_bodies(scene, cells, wanted, 260)

    # --- EM
    corner = em_grid.corners()
    block = (corner.min(axis=0), corner.max(axis=0))
    em_nodes = mitochondria.near(*block, 1000.0)
    volumes = render_tubes(em_nodes, em_grid, 200.0)
    cell_volumes = render_cells(cells, em_grid)
    body_nodes = bodies.near(*block, 800.0)
    grey = em_grey(
        em_rng,
        em_grid,
        cell_volumes,
        volumes,
        em_nodes,
        render_tubes(reticulum.near(*block, 500.0), em_grid, 130.0),
        render_tubes(body_nodes, em_grid, 130.0),
        body_nodes,
    )
    exact = true_labels(volumes, em_nodes)
    present = np.unique(exact)
    inside = em_nodes.select(np.isin(em_nodes.objects, present[present > 0]))
    faulty, errors = segmented_nodes(seg_rng, inside, spec, *block)
    segmented = segmented_volume(seg_rng, faulty, em_grid, spec.boundary_jitter_nm)
    number = cell_volumes.cells.astype(np.uint16) + 1
    nuclei = np.where(cell_volumes.nuclear_nm < 0, number, 0).astype(np.uint16)
    bodies_of_cells = np.where(cell_volumes.depth_nm > 0, number, 0).astype(np.uint16)

    # --- LM
    top = int(mitochondria.objects.max())
    brightness = lm_rng.lognormal(0, 0.3, top + 1)
    brightness[lm_rng.random(top + 1) < spec.unlabelled_fraction] = 0.0
    expression = lm_rng.lognormal(0, 0.25, len(yx))  # some cells take up more dye
    first = np.unique(mitochondria.objects, return_index=True)
    brightness[first[0]] *= expression[mitochondria.cells[first[1]]]
    spread = point_spread(
        spec.psf, spec.psf_sigma_lateral_nm, spec.psf_sigma_axial_nm, spec.psf_widening_max
    )
    camera = Camera(peak_photons=spec.peak_photons, bleaching_fraction=spec.bleaching_fraction)
    visible = mitochondria.near(low, high, 3000.0)
    mito_light = tube_emitters(lm_rng, visible, brightness, 170.0)
    glow = cytosol_emitters(lm_rng, cells, wanted, 20000)
    glow = (glow[0], glow[1] * 0.06 * mito_light[1].sum() / glow[1].sum())
    nuclear = nuclear_emitters(lm_rng, cells, wanted, 35000)
    envelope = envelope_points(lm_rng, cells, wanted, 10000)
    er_light = tube_emitters(
        lm_rng, reticulum.near(low, high, 3000.0), np.ones(int(reticulum.objects.max()) + 1), 25.0
    )
    rim = (envelope, np.full(len(envelope), 0.5 * er_light[1].sum() / len(envelope)))

    def shoot(*emitters: tuple[FloatArray, FloatArray]) -> np.ndarray[Any, Any]:
        return expose(lm_rng, list(emitters), truth, lm_grid, spread, camera)

    light = np.stack([shoot(mito_light, glow), shoot(nuclear)])
    heldout_light = shoot(er_light, rim)

    pairs = _heldout(
        pose,
        truth,
        em_grid,
        reticulum,
        envelope,
        _membrane_points(pose, cell_volumes, em_grid, 400),
    )
    seen = present[present > 0]
    info |= {
        "seed": spec.seed,
        "errors": errors,
        "cells": len(wanted),
        "mitochondria_em": len(seen),
        "mitochondria_lm": int((brightness[first[0]] > 0).sum()),
        "unlabelled_in_em": float((brightness[seen] == 0).mean()) if len(seen) else 0.0,
    }
    return ClemPhantom(
        em=Volume(data=grey, grid=em_grid, modality="em"),
        em_mitochondria=_labels(segmented, em_grid),
        em_mitochondria_true=_labels(exact, em_grid),
        em_nuclei=_labels(nuclei, em_grid),
        em_cells=_labels(bodies_of_cells, em_grid),
        lm=Volume(data=light, grid=lm_grid, modality="lm", channels=("mitochondria", "nuclei")),
        lm_heldout=Volume(data=heldout_light, grid=lm_grid, modality="lm"),
        truth=truth,
        heldout=pairs,
        info=info,
    )
