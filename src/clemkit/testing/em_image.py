"""The EM side: a grey volume as a block-face or FIB microscope would record it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clemkit.geometry import Grid
from clemkit.testing.organelles import Tubes
from clemkit.testing.rendering import CellVolumes, TubeVolumes

__all__ = ["em_grey", "smooth_noise"]

_MEMBRANE_NM = 14.0  # half thickness of a stained double membrane
_CRISTAE_NM = 95.0  # distance of neighbouring cristae

Float32 = NDArray[np.float32]


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, ...], sigma_voxels: tuple[float, ...]
) -> Float32:
    """Return Gaussian noise of unit variance, smoothed by *sigma_voxels* along each axis."""
    from scipy.ndimage import gaussian_filter

    noise = rng.standard_normal(shape, dtype=np.float32)
    noise = gaussian_filter(noise, sigma_voxels, mode="wrap", truncate=3.0)
    return np.asarray(noise / max(float(noise.std()), 1e-6), dtype=np.float32)


def _membrane(distance_nm: Any, voxel_nm: float) -> Any:
    """Darkness 0..1 of a membrane at distance zero, thinned by partial volume."""
    width = np.hypot(_MEMBRANE_NM, 0.42 * voxel_nm)
    strength = min(1.0, 1.9 * _MEMBRANE_NM / width)
    return strength * np.exp(-0.5 * (distance_nm / width) ** 2)


def em_grey(
    rng: np.random.Generator,
    grid: Grid,
    cells: CellVolumes,
    mitochondria: TubeVolumes,
    mito_nodes: Tubes,
    reticulum: TubeVolumes,
    bodies: TubeVolumes,
    body_nodes: Tubes,
) -> NDArray[np.uint8]:
    """Render the grey volume ``(z, y, x)`` uint8: membranes dark, resin bright.

    Cytosol with ribosome grain, chromatin and nucleolus, double nuclear envelope, cristae where
    the voxels resolve them, lysosomes and lipid droplets; then section-to-section contrast,
    illumination drift, scan noise.
    """
    shape = grid.shape_zyx
    voxel = np.array(grid.voxel_size_zyx_nm)
    lateral = float(voxel[1:].mean())
    grain = smooth_noise(rng, shape, tuple(np.clip(28.0 / voxel, 0.3, 3)))
    clumps = smooth_noise(rng, shape, tuple(260.0 / voxel))
    image = 166 + 5.5 * grain + 5.0 * clumps

    inside = cells.nuclear_nm < 0
    # heterochromatin: clumps, denser along the envelope
    chromatin = 1.25 * clumps + 1.3 * np.exp(cells.nuclear_nm / 260.0) - 0.55
    nuclear = 158 - 27 / (1 + np.exp(-3.2 * chromatin)) + 4.5 * grain
    nucleolus = smooth_noise(rng, shape, tuple(900.0 / voxel))
    nuclear -= 30 / (1 + np.exp(-9 * (nucleolus - 2.0)))
    image = np.where(inside, nuclear, image)

    image -= 52 * _membrane(reticulum.distance_nm, lateral)
    image += 10 * (reticulum.distance_nm < -20)

    near = mitochondria.nodes >= 0
    d = mitochondria.distance_nm[near]
    nodes = mitochondria.nodes[near]
    offset = np.argwhere(near) * voxel + np.array(grid.origin_zyx_nm)
    offset -= mito_nodes.points_zyx_nm[nodes]
    along = mito_nodes.arcs_nm[nodes] + np.einsum("ij,ij->i", offset, mito_nodes.tangents[nodes])
    resolved = float(np.exp(-0.5 * (2.2 * lateral / _CRISTAE_NM) ** 2))
    wobble = 3.0 * clumps[near] + 0.7 * grain[near]
    cristae = np.clip(np.cos(2 * np.pi * along / _CRISTAE_NM + wobble) - 0.1, 0, 1)
    depth = np.exp(-(((d + 0.9 * mito_nodes.radii_nm[nodes]) / 260.0) ** 2))
    tone = rng.normal(0, 6, int(mito_nodes.objects.max(initial=0)) + 1)
    matrix = 128 + tone[mito_nodes.objects[nodes]] + 5 * grain[near] + 3 * clumps[near]
    matrix = matrix - 46 * resolved * cristae * (0.4 + 0.6 * depth) * np.clip(
        0.9 + 0.5 * clumps[near], 0, 1
    )
    edge = 1 / (1 + np.exp(np.clip(d / (0.22 * lateral), -30, 30)))
    tissue = image[near]
    tissue = tissue + edge * (matrix - tissue)
    tissue -= 62 * _membrane(d, lateral)
    image[near] = tissue

    near = bodies.nodes >= 0
    d = bodies.distance_nm[near]
    lipid = body_nodes.objects[bodies.nodes[near]] % 4 == 0
    content = np.where(lipid, 182 + 1.5 * grain[near], 92 + 17 * clumps[near] + 6 * grain[near])
    edge = 1 / (1 + np.exp(np.clip(d / (0.25 * lateral), -30, 30)))
    free = mitochondria.distance_nm[near] > 30
    body = image[near] + edge * free * (content - image[near])
    image[near] = body - 40 * _membrane(d, lateral) * free

    # the envelope is two membranes with a bright gap where the voxels resolve it
    image -= 46 * _membrane(cells.nuclear_nm, lateral)
    image -= 46 * _membrane(cells.nuclear_nm - 45.0, lateral)
    outside = cells.depth_nm < 0
    image = np.where(outside, 216 + 2.0 * grain, image)
    image -= 62 * _membrane(cells.depth_nm, lateral)

    z, y, x = shape
    gain = 1 + rng.normal(0, 0.017, z) + np.cumsum(rng.normal(0, 0.004, z))
    shift = rng.normal(0, 2.2, z)
    image = image * gain[:, None, None].astype(np.float32) + shift[:, None, None]
    ramp = np.linspace(-1, 1, y)[:, None] * rng.normal(0, 4) + np.linspace(-1, 1, x) * rng.normal(
        0, 4
    )
    streaks = rng.normal(0, 0.6, (z, y, 1))  # line noise of the scan
    image = image + ramp + streaks + 6.5 * rng.standard_normal(shape, dtype=np.float32)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
