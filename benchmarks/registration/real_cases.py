"""Cases with exactly known truth from real images: cortex, a larva, nuclei, an ovule.

The frame of the real image is the fixed frame. The fixed field is a box cut out of it; the moving
image shows the whole block through a random map that the truth knows exactly. What is real and what
is simulated:

========================  =====================================  ===============================
kind                      fixed                                  moving
========================  =====================================  ===============================
``xray-cortex``           real grey values, own noise, no        the same scan: warped, blurred,
                          labels                                 coarser, other contrast, noise
``platy-tissues``         real segmentation of four tissues      light simulated from the four
``nuclei3d``              real labels, some dropped              the real image, warped and noisy
``ovule3d``               walls between the real cell labels     the real image, warped and noisy
========================  =====================================  ===============================
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cases import FAMILIES, Case, shared_folder
from numpy.typing import NDArray

from clemkit.errors import NotFoundError
from clemkit.geometry import FloatArray, Grid, Space, Triple
from clemkit.registration.further_structures import Structure
from clemkit.registration.settings import Settings
from clemkit.testing.clem import grid_of_size
from clemkit.testing.em_image import smooth_noise
from clemkit.testing.field_draws import random_fields
from clemkit.testing.lm_image import Camera, expose
from clemkit.testing.psf import PointSpread, point_spread
from clemkit.testing.spec import PsfKind
from clemkit.testing.truth import TruthMap, random_linear
from clemkit.volumes import Volume

__all__ = ["TISSUES", "case_settings", "load_real_case", "tissue_structures"]

TISSUES = ("tissue-0", "neuropil", "nuclei", "tissue-3")
"""Channels of the larva; the data set names only two of them."""

_POINTS = 600
_SAMPLING = 0.02  # of a moving voxel: how exactly an image follows its truth
_UNKNOWN_VOXEL_NM = 500.0  # nuclei3d states none: with this one its nuclei measure about 5 µm
_CORTEX_VOXEL_NM = 1170.0  # inferred, see the README of the shared data


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draw:
    """How hard a case is.

    Attributes
    ----------
    rotation_deg, tilt_deg : float
        Largest turn about z, and about an axis in the plane.
    scale : tuple of float
        Isotropic, fixed to moving; each axis deviates by up to ``skew`` on top.
    skew : float
    field : tuple of float
        RMS of the deformation over the lateral extent of the fixed field.
    part : tuple of float
        Share (z, y, x) of the real block that the fixed field is.
    view : float
        Share of the block's margins around the fixed field that the moving image surely shows.
    noise : float
        Of the moving image, over its own standard deviation.
    missed : float
        Share of the objects that the fixed labels lack.
    """

    rotation_deg: float
    tilt_deg: float
    scale: tuple[float, float]
    skew: float
    field: tuple[float, float]
    part: Triple
    view: float = 0.6
    noise: float = 0.5
    missed: float = 0.0


_TURNS = {"easy": (15.0, 3.0), "medium": (180.0, 8.0), "hard": (180.0, 18.0)}
_DRAWS: dict[str, dict[str, dict[str, Any]]] = {
    "xray-cortex": {
        "easy": {"field": (0.01, 0.015), "part": (0.55, 0.55, 0.55), "noise": 0.3},
        "medium": {"field": (0.015, 0.025), "part": (0.5, 0.5, 0.5), "noise": 0.5},
        "hard": {"field": (0.025, 0.04), "part": (0.45, 0.45, 0.45), "noise": 0.8},
    },
    "platy-tissues": {
        "easy": {"field": (0.02, 0.025), "part": (1.0, 1.0, 1.0), "view": 1.0},
        "medium": {"field": (0.025, 0.035), "part": (0.8, 0.9, 0.9), "view": 0.8},
        "hard": {"field": (0.035, 0.05), "part": (0.65, 0.85, 0.85), "view": 0.2},
    },
    "nuclei3d": {
        "easy": {"field": (0.01, 0.015), "part": (0.8, 0.8, 0.8), "noise": 0.15},
        "medium": {"field": (0.015, 0.025), "part": (0.75, 0.75, 0.75), "noise": 0.25},
        "hard": {"field": (0.025, 0.035), "part": (0.7, 0.7, 0.7), "noise": 0.4, "missed": 0.15},
    },
    "ovule3d": {
        "easy": {"field": (0.01, 0.015), "part": (0.75, 0.7, 0.7), "noise": 0.15},
        "medium": {"field": (0.015, 0.025), "part": (0.7, 0.65, 0.65), "noise": 0.25},
        "hard": {"field": (0.025, 0.035), "part": (0.7, 0.6, 0.6), "noise": 0.4},
    },
}


def _draw(kind: str, level: str) -> _Draw:
    rotation, tilt = _TURNS[level]
    if kind == "platy-tissues" and level != "easy":
        # an animal lies in its mount as it fell
        rotation, tilt = 180.0, {"medium": 30.0, "hard": 180.0}[level]
    scale, skew = ((0.95, 1.05), 0.02) if kind == "xray-cortex" else ((0.95, 1.2), 0.04)
    given: dict[str, Any] = {
        "rotation_deg": rotation,
        "tilt_deg": tilt,
        "scale": scale,
        "skew": skew,
    }
    return _Draw(**(given | _DRAWS[kind][level]))


def load_real_case(kind: str, level: str, seed: int, *, z_flip: bool = False) -> Case:
    """Return a case; the same arguments give the same voxels.

    Raises
    ------
    NotFoundError
        The shared data are not there.
    """
    name = f"{kind}-{level}-{seed}" + ("-flip" if z_flip else "")
    return _MAKERS[kind](name, level, seed, z_flip)


def case_settings(kind: str, level: str) -> Settings | None:
    """Return the settings that a user would pass: the preset of the scale, or none."""
    if kind == "platy-tissues" and level == "hard":
        return Settings.preset("organism")
    return None


def tissue_structures(case: Case) -> tuple[Structure, ...]:
    """Return the four tissues of ``platy-tissues``, the one with most voxels first."""
    assert case.fixed_labels is not None
    data, grid = case.info["tissues"], case.fixed_labels.grid
    order = np.argsort([-int(mask.sum()) for mask in data], kind="stable")
    return tuple(
        Structure(
            labels=Volume(data=data[c].astype(np.uint8), grid=grid, modality="em", role="labels"),
            channel=TISSUES[c],
        )
        for c in order
    )


def _file(*parts: str) -> Path:
    path = shared_folder().joinpath("data", *parts)
    if not path.is_file():
        raise NotFoundError(f"{path}: expected the shared data set there")
    return path


# ---------------------------------------------------------------- truth and fields of view


def _fixed_box(rng: np.random.Generator, grid: Grid, part: Triple) -> tuple[slice, ...]:
    """Draw a box of the wished share of each axis, within the middle half of the free room."""
    places = []
    for n, share in zip(grid.shape_zyx, part, strict=True):
        size = max(round(n * share), 2)
        start = round((n - size) * rng.uniform(0.25, 0.75))
        places.append(slice(start, start + size))
    return tuple(places)


def _cut(grid: Grid, box: tuple[slice, ...]) -> Grid:
    low = grid.to_physical(np.array([[s.start for s in box]], dtype=np.float64))[0]
    z, y, x = (s.stop - s.start for s in box)
    return Grid(
        space=grid.space,
        shape_zyx=(z, y, x),
        voxel_size_zyx_nm=grid.voxel_size_zyx_nm,
        origin_zyx_nm=(float(low[0]), float(low[1]), float(low[2])),
    )


def _surface(grid: Grid) -> FloatArray:
    """Return points ``(N, 3)`` all over a box, its faces included."""
    ends = grid.corners()
    axes = [np.linspace(a, b, 9) for a, b in zip(ends.min(axis=0), ends.max(axis=0), strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


def _draw_truth(
    rng: np.random.Generator,
    draw: _Draw,
    block: Grid,
    fixed: Grid,
    target: Space,
    voxel_zyx_nm: Triple,
    *,
    seed: int,
    z_flip: bool,
) -> tuple[TruthMap, Grid, dict[str, Any]]:
    """Draw the map of a case and the grid of its moving image."""
    linear, rotation, tilt = random_linear(
        rng,
        rotation_max_deg=draw.rotation_deg,
        tilt_max_deg=draw.tilt_deg,
        scale_zyx=rng.uniform(*draw.scale) * rng.uniform(1 - draw.skew, 1 + draw.skew, 3),
        z_flip=z_flip,
    )
    family = FAMILIES[seed % len(FAMILIES)]
    lateral = float(fixed.extent_zyx_nm[1:].mean())
    ends, whole = fixed.corners(), block.corners()
    margin = 0.1 * block.extent_zyx_nm
    fields, rms, least = random_fields(
        rng,
        family,
        block_zyx_nm=np.stack([ends.min(axis=0), ends.max(axis=0)]),
        domain_zyx_nm=np.stack([whole.min(axis=0) - margin, whole.max(axis=0) + margin]),
        scale_nm=0.3 * lateral,
        rms_nm=rng.uniform(*draw.field) * lateral,
    )
    flat = TruthMap(block.space, target, linear, fixed.centre_zyx_nm, np.zeros(3), fields)
    near, far = flat.apply_points(_surface(fixed)), flat.apply_points(_surface(block))
    # the view holds the fixed field, and of the block around it a random part on each side
    low = near.min(axis=0) + rng.uniform(draw.view, 1, 3) * (far.min(axis=0) - near.min(axis=0))
    high = near.max(axis=0) + rng.uniform(draw.view, 1, 3) * (far.max(axis=0) - near.max(axis=0))
    rim = 2 * np.array(voxel_zyx_nm)
    truth = TruthMap(block.space, target, linear, fixed.centre_zyx_nm, rim - low, fields)
    info = {
        "seed": seed,
        "family": family,
        "rotation_deg": rotation,
        "tilt_deg": tilt,
        "field_rms_nm": rms,
        "jacobian_min": least,
        "block_share": float(np.prod(fixed.extent_zyx_nm) / np.prod(high - low)),
    }
    return truth, grid_of_size(target, high - low + 2 * rim, voxel_zyx_nm), info


def _heldout(
    rng: np.random.Generator, grid: Grid, allowed: NDArray[np.bool_] | None = None
) -> FloatArray:
    """Return random points ``(N, 3)`` of the fixed field, a voxel away from its faces."""
    inner = grid.extent_zyx_nm - 3 * np.array(grid.voxel_size_zyx_nm)
    low = grid.centre_zyx_nm - inner / 2
    points = low + rng.random((40 * _POINTS, 3)) * inner
    if allowed is not None:
        at = np.rint(grid.to_index(points)).astype(int)
        points = points[allowed[tuple(at.T)]]
    return points[:_POINTS]


def _case(
    name: str,
    fixed: Volume,
    labels: Volume | None,
    moving: Volume,
    channel: int,
    truth: TruthMap,
    points: FloatArray,
    info: dict[str, Any],
) -> Case:
    return Case(
        name=name,
        fixed=fixed,
        fixed_labels=labels,
        moving=moving,
        moving_channel=channel,
        truth_fixed_zyx_nm=points,
        truth_moving_zyx_nm=truth.apply_points(points),
        names=tuple(f"tissue-{n:03d}" for n in range(len(points))),
        tre_names=("tissue",),
        info=info,
    )


# ---------------------------------------------------------------- a real image through the map


def _back(truth: TruthMap, grid: Grid, step: int) -> NDArray[np.float32]:
    """Map voxels back, ``(3, z, y, x)``: exact on every *step*-th voxel, cubic between."""
    from scipy.interpolate import CubicSpline

    counts = [-(-n // step) + 3 for n in grid.shape_zyx]
    axes = [
        (np.arange(c) - 1) * step * v + o
        for c, v, o in zip(counts, grid.voxel_size_zyx_nm, grid.origin_zyx_nm, strict=True)
    ]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    out = truth.inverse().apply_points(lattice).reshape(*counts, 3)
    for axis, n in enumerate(grid.shape_zyx):
        between = CubicSpline(np.arange(counts[axis]), np.eye(counts[axis]))(
            np.arange(n) / step + 1
        ).astype(np.float32)
        out = np.moveaxis(np.tensordot(between, out.astype(np.float32), (1, axis)), 0, axis)
    return np.moveaxis(out, -1, 0)


def _seen(
    rng: np.random.Generator,
    image: NDArray[Any],
    block: Grid,
    truth: TruthMap,
    grid: Grid,
    spread: PointSpread,
    fill: float,
) -> tuple[NDArray[np.float32], float]:
    """Return a real image of the fixed frame on a moving grid, and the largest sampling error (nm).

    Sampled at half the voxel size, blurred there, averaged. What lies outside the block is *fill*,
    as the embedding medium is.
    """
    from scipy.ndimage import map_coordinates

    z, y, x = (v / 2 for v in grid.voxel_size_zyx_nm)
    fine = Grid(
        space=grid.space,
        shape_zyx=(2 * grid.shape_zyx[0], 2 * grid.shape_zyx[1], 2 * grid.shape_zyx[2]),
        voxel_size_zyx_nm=(z, y, x),
        origin_zyx_nm=tuple(
            o - v / 4 for o, v in zip(grid.origin_zyx_nm, grid.voxel_size_zyx_nm, strict=True)
        ),  # type: ignore[arg-type]
    )
    some = rng.integers(0, fine.size, 2000)
    index = np.stack(np.unravel_index(some, fine.shape_zyx), 1).astype(np.float64)
    exact = truth.inverse().apply_points(fine.to_physical(index))
    for step in (5, 3, 2, 1):
        back = np.ascontiguousarray(_back(truth, fine, step))
        miss = float(np.linalg.norm(back.reshape(3, -1).T[some] - exact, axis=1).max())
        if miss < _SAMPLING * min(grid.voxel_size_zyx_nm):
            break
    for axis in range(3):
        back[axis] -= block.origin_zyx_nm[axis]
        back[axis] /= block.voxel_size_zyx_nm[axis]
    shown = map_coordinates(
        image.astype(np.float32) - np.float32(fill), back, order=1, mode="constant", cval=0.0
    )
    shown = spread.blur(shown, fine.voxel_size_zyx_nm)
    halves = shown.reshape(grid.shape_zyx[0], 2, grid.shape_zyx[1], 2, grid.shape_zyx[2], 2)
    return halves.mean(axis=(1, 3, 5)) + np.float32(fill), miss


def _noisy(rng: np.random.Generator, image: NDArray[Any], share: float) -> NDArray[np.uint16]:
    """Add noise of a share of the image's spread, half of it growing with the signal; uint16."""
    low, high = np.percentile(image, [0.5, 99.5])
    signal = np.clip((image - low) / (high - low), 0, 1.2)
    spread = share * float(signal.std())
    grain = smooth_noise(rng, image.shape, (0.4, 0.4, 0.4))
    signal = signal + spread * (0.5 + np.sqrt(np.clip(signal, 0, None)) / 2) * grain
    return np.clip(np.rint(2000 + 12000 * signal), 0, 65535).astype(np.uint16)


def _grey(rng: np.random.Generator, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return a plain EM-like rendering of a segmentation."""
    grain = smooth_noise(rng, mask.shape, (0.6, 0.6, 0.6))
    return np.clip(np.rint(np.where(mask, 118, 168) + 9 * grain), 0, 255).astype(np.uint8)


def _streams(kind: str, level: str, seed: int) -> list[np.random.Generator]:
    root = np.random.SeedSequence([seed, zlib.crc32(f"{kind}-{level}".encode())])
    return [np.random.default_rng(s) for s in root.spawn(3)]


# ---------------------------------------------------------------- the four kinds


def _cortex(name: str, level: str, seed: int, z_flip: bool) -> Case:
    import tifffile

    draw = _draw("xray-cortex", level)
    pose, look, dust = _streams("xray-cortex", level, seed)
    image = tifffile.imread(_file("xray-cortex", "test_cube3.ome.tif")).astype(np.float32)
    block = Grid(
        space=Space("ct-detail"),
        shape_zyx=image.shape,
        voxel_size_zyx_nm=(_CORTEX_VOXEL_NM,) * 3,
    )
    box = _fixed_box(pose, block, draw.part)
    fixed = _cut(block, box)
    voxel = (2000.0, 1600.0, 1600.0)
    truth, grid, info = _draw_truth(
        pose, draw, block, fixed, Space("ct"), voxel, seed=seed, z_flip=z_flip
    )
    spread = point_spread("gaussian", 0.5 * voxel[1], 0.5 * voxel[0])
    seen, miss = _seen(dust, image, block, truth, grid, spread, float(np.median(image)))
    gamma = float(look.uniform(0.7, 1.4))
    low, high = np.percentile(seen, [0.1, 99.9])
    seen = np.clip((seen - low) / (high - low), 0, 1) ** gamma
    if level == "hard":
        seen = 1 - seen  # absorption against phase contrast: nuclei bright instead of dark
    scan = image[box] + 0.4 * float(image.std()) * look.standard_normal(fixed.shape_zyx)
    info |= {"gamma": gamma, "inverted": level == "hard", "sampling_error_nm": miss}
    return _case(
        name,
        Volume(
            data=np.clip(np.rint(scan), 0, 255).astype(np.uint8), grid=fixed, modality="xray_ct"
        ),
        None,
        Volume(data=_noisy(dust, seen, draw.noise), grid=grid, modality="xray_ct"),
        0,
        truth,
        _heldout(pose, fixed),
        info,
    )


def _platy(name: str, level: str, seed: int, z_flip: bool) -> Case:
    import tifffile
    from scipy.ndimage import distance_transform_edt

    draw = _draw("platy-tissues", level)
    pose, look, dye = _streams("platy-tissues", level, seed)
    tissues = tifffile.imread(_file("platy-em-tissues", "em_bin2.ome.tif")).swapaxes(0, 1) > 0
    size: Triple = (1098.3, 1100.0, 1100.0)
    block = Grid(space=Space("em"), shape_zyx=tissues.shape[1:], voxel_size_zyx_nm=size)
    # the frame has wide empty rims: the animal is the block
    inside = np.argwhere(tissues.any(axis=0))
    animal = tuple(
        slice(int(max(a - 4, 0)), int(b + 5))
        for a, b in zip(inside.min(axis=0), inside.max(axis=0), strict=True)
    )
    tissues, block = tissues[(slice(None), *animal)], _cut(block, animal)
    box = _fixed_box(pose, block, draw.part)
    fixed = _cut(block, box)
    voxel = {"easy": (3000.0, 2000.0, 2000.0), "hard": (4000.0, 3000.0, 3000.0)}.get(
        level, (4000.0, 2000.0, 2000.0)
    )
    truth, grid, info = _draw_truth(
        pose, draw, block, fixed, Space("lm"), voxel, seed=seed, z_flip=z_flip
    )
    # a light sheet blurs alike to both sides; a confocal deep in tissue has a one-sided tail
    blur: PsfKind = "asymmetric" if level == "hard" else "gaussian"
    spread = point_spread(blur, 0.5 * voxel[1], 0.7 * voxel[0])
    camera = Camera(peak_photons={"easy": 80.0, "medium": 50.0, "hard": 25.0}[level])
    stack = []
    for mask in tissues:
        places = np.argwhere(mask)
        # staining is uneven: deep tissue takes less
        stain = np.exp(0.35 * smooth_noise(look, mask.shape, (12.0, 12.0, 12.0)))[tuple(places.T)]
        points = block.to_physical(places + dye.random((len(places), 3)) - 0.5)
        stack.append(expose(dye, [(points, stain)], truth, grid, spread, camera))
    part = tissues[(slice(None), *box)]
    main = int(np.argmax([mask.sum() for mask in part]))
    near = distance_transform_edt(~part.any(axis=0), sampling=size) < 10_000
    info |= {"psf": blur, "tissues": part}
    return _case(
        name,
        Volume(data=_grey(look, part.any(axis=0)), grid=fixed, modality="em"),
        Volume(data=part[main].astype(np.uint8), grid=fixed, modality="em", role="labels"),
        Volume(data=np.stack(stack), grid=grid, modality="lm", channels=TISSUES),
        main,
        truth,
        _heldout(pose, fixed, near),
        info,
    )


def _real_light(
    kind: str,
    name: str,
    level: str,
    seed: int,
    z_flip: bool,
    image: NDArray[Any],
    labels: NDArray[Any],
    block: Grid,
    voxel: Triple,
) -> Case:
    """Return a case whose moving image is the real one, its labels the fixed side."""
    draw = _draw(kind, level)
    pose, look, dust = _streams(kind, level, seed)
    box = _fixed_box(pose, block, draw.part)
    cut, coarse = labels[box], _cut(block, box)
    ids = np.unique(cut[cut > 0])
    missed = look.choice(ids, round(draw.missed * len(ids)), replace=False)
    cut = np.where(np.isin(cut, missed), 0, cut)
    # EM voxels are finer than those of light
    for axis in range(3):
        cut = np.repeat(cut, 2, axis=axis)
    z, y, x = (v / 2 for v in coarse.voxel_size_zyx_nm)
    low = np.array(coarse.origin_zyx_nm) - np.array([z, y, x]) / 2
    fixed = Grid(
        space=block.space,
        shape_zyx=cut.shape,
        voxel_size_zyx_nm=(z, y, x),
        origin_zyx_nm=(float(low[0]), float(low[1]), float(low[2])),
    )
    truth, grid, info = _draw_truth(
        pose, draw, block, fixed, Space("lm"), voxel, seed=seed, z_flip=z_flip
    )
    spread = point_spread("gaussian", 0.4 * voxel[1], 0.4 * voxel[0])
    seen, miss = _seen(dust, image, block, truth, grid, spread, float(np.percentile(image, 2)))
    info |= {"sampling_error_nm": miss, "objects": len(ids) - len(missed)}
    return _case(
        name,
        Volume(data=_grey(look, cut > 0), grid=fixed, modality="em"),
        Volume(data=cut.astype(np.uint16), grid=fixed, modality="em", role="labels"),
        Volume(
            data=_noisy(dust, seen, draw.noise)[None], grid=grid, modality="lm", channels=("light",)
        ),
        0,
        truth,
        _heldout(pose, fixed),
        info,
    )


def _nuclei(name: str, level: str, seed: int, z_flip: bool) -> Case:
    import tifffile

    image = tifffile.imread(_file("nuclei3d", "img3d.tif")).astype(np.float32)
    labels = tifffile.imread(_file("nuclei3d", "mask3d.tif"))
    block = Grid(
        space=Space("em"), shape_zyx=image.shape, voxel_size_zyx_nm=(_UNKNOWN_VOXEL_NM,) * 3
    )
    voxel = (800.0, 450.0, 450.0)
    return _real_light("nuclei3d", name, level, seed, z_flip, image, labels, block, voxel)


def _ovule(name: str, level: str, seed: int, z_flip: bool) -> Case:
    import h5py
    from scipy.ndimage import maximum_filter, minimum_filter

    with h5py.File(_file("ovule3d", "sample_ovule.h5")) as file:
        image, labels = file["raw"][...].astype(np.float32), file["label"][...]
        z, y, x = (1000.0 * float(v) for v in file["raw"].attrs["element_size_um"])
    # the cells touch: what both microscopes show is the wall between them
    walls = maximum_filter(labels, 3) != minimum_filter(labels, 3)
    block = Grid(space=Space("em"), shape_zyx=image.shape, voxel_size_zyx_nm=(z, y, x))
    voxel = (350.0, 200.0, 200.0)
    return _real_light("ovule3d", name, level, seed, z_flip, image, walls, block, voxel)


_MAKERS: dict[str, Callable[[str, str, int, bool], Case]] = {
    "xray-cortex": _cortex,
    "platy-tissues": _platy,
    "nuclei3d": _nuclei,
    "ovule3d": _ovule,
}
