"""Segmentation of known shapes and of phantoms whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from clemkit.cli.main import main
from clemkit.errors import ArgumentError, AxisError, DataError
from clemkit.geometry import Grid, Space
from clemkit.segmentation import segment_structures
from clemkit.segmentation.structures import _curvature
from clemkit.testing import PhantomSpec, make_clem_phantom
from clemkit.volumes import Volume, open_volume, write_ome_zarr

GRID = Grid(
    space=Space("em"), shape_zyx=(17, 41, 53), voxel_size_zyx_nm=(100, 40, 50),
    origin_zyx_nm=(30, -70, 20),
)  # fmt: skip


def scene(rng) -> tuple[np.ndarray, np.ndarray]:
    """A ball, a tube along x and a sheet; the truth of the first two."""
    z, y, x = np.moveaxis(GRID.points().reshape(*GRID.shape_zyx, 3), -1, 0)
    ball = (z - 800) ** 2 + (y - 300) ** 2 + (x - 600) ** 2 < 200**2
    tube = ((z - 900) ** 2 + (y - 1100) ** 2 < 160**2) & (x > 1100) & (x < 2000)
    sheet = np.abs(x - 2420) < 40
    image = 100.0 + 60.0 * (ball | tube | sheet) + rng.normal(0, 6, GRID.shape_zyx)
    return image, np.where(ball, 1, 0) + np.where(tube, 2, 0)


def dice(a, b):
    return 2 * np.sum(a & b) / (np.sum(a) + np.sum(b))


def test_the_middle_eigenvalue_is_that_of_lapack(rng):
    image = rng.normal(size=(7, 11, 13)).astype(np.float32)
    grid = replace(GRID, shape_zyx=image.shape)
    from scipy import ndimage as ndi

    voxel = np.array(GRID.voxel_size_zyx_nm)
    hessian = np.empty((*image.shape, 3, 3))
    for a in range(3):
        for b in range(3):
            order = [(axis == a) + (axis == b) for axis in range(3)]
            smooth = ndi.gaussian_filter(
                image, 120 / voxel, order=order, mode="nearest", truncate=4
            )
            hessian[..., a, b] = smooth * 120**2 / (voxel[a] * voxel[b])
    expected = np.linalg.eigvalsh(hessian)[..., 1]
    assert np.allclose(_curvature(image, grid, 120.0), expected, atol=1e-4)


@pytest.mark.parametrize("polarity", ["bright", "dark"])
def test_a_ball_and_a_tube_are_found_and_a_sheet_is_not(rng, polarity):
    image, truth = scene(rng)
    shown = image if polarity == "bright" else 255 - image
    labels = segment_structures(shown, GRID, radius_nm=180, polarity=polarity)
    assert labels.dtype == np.int32
    assert labels.max() == 2
    for number in (1, 2):
        found = labels == np.bincount(labels[truth == number])[1:].argmax() + 1
        assert dice(found, truth == number) > 0.8
    x = GRID.points()[:, 2].reshape(GRID.shape_zyx)
    assert np.mean(labels[np.abs(x - 2420) < 40] > 0) < 0.05
    other = "dark" if polarity == "bright" else "bright"
    wrong = segment_structures(shown, GRID, radius_nm=180, polarity=other)
    assert dice(wrong > 0, truth > 0) < 0.1


def test_small_objects_are_dropped_and_sensitivity_finds_fainter_ones(rng):
    image, truth = scene(rng)
    image[truth == 1] -= 42  # a faint ball
    few = segment_structures(image, GRID, radius_nm=180)
    many = segment_structures(image, GRID, radius_nm=180, sensitivity=2.5)
    assert not np.any(few[truth == 1])
    assert np.mean(many[truth == 1] > 0) > 0.5
    tube_um3 = np.sum(truth == 2) * np.prod(GRID.voxel_size_zyx_nm) * 1e-9
    none = segment_structures(image, GRID, radius_nm=180, least_volume_um3=3 * tube_um3)
    assert none.max() == 0


def test_a_single_section_shows_lines_and_blobs(rng):
    image, truth = scene(rng)
    flat = replace(GRID, shape_zyx=(1, *GRID.shape_zyx[1:]))
    labels = segment_structures(image[8:9], flat, radius_nm=180)
    assert dice(labels > 0, truth[8:9] > 0) > 0.6


@pytest.fixture(scope="module")
def phantom():
    return make_clem_phantom(PhantomSpec.small(2))


def test_dark_mitochondria_of_a_phantom(phantom):
    """Chromatin and vesicles of that size are found as well: Dice is about 0.7."""
    labels = segment_structures(phantom.em.read(), phantom.em.grid, radius_nm=220, polarity="dark")
    truth = phantom.em_mitochondria_true.read() > 0
    assert dice(labels > 0, truth) > 0.65
    assert np.mean(labels[truth] > 0) > 0.8


def test_fluorescent_mitochondria_of_a_phantom(phantom):
    """Some are not labelled and the microscope stretches all along z: Dice is about 0.58."""
    grid = phantom.lm.grid
    labels = segment_structures(phantom.lm.read(channel=0), grid, radius_nm=200)
    em = phantom.em_mitochondria_true
    index = np.round(em.grid.to_index(phantom.truth.inverse().apply_points(grid.points())))
    inside = np.all((index >= 0) & (index < em.grid.shape_zyx), axis=1)
    truth = np.zeros(len(index), bool)
    truth[inside] = em.read()[tuple(index[inside].astype(int).T)] > 0
    assert dice(labels.ravel()[inside] > 0, truth[inside]) > 0.52


@pytest.mark.parametrize(
    ("change", "family", "message"),
    [
        ({"radius_nm": 20.0}, ArgumentError, "does not resolve"),
        ({"radius_nm": -1.0}, ArgumentError, "radius_nm: expected a number above zero"),
        ({"sensitivity": 0.0}, ArgumentError, "sensitivity: expected"),
        ({"polarity": "grey"}, ArgumentError, "expected bright or dark; found 'grey'"),
        ({"image": np.zeros((3, 17, 41, 53))}, AxisError, "choose one channel"),
        ({"image": np.zeros((7, 11, 13))}, ArgumentError, "expected shape"),
        ({"image": np.full(GRID.shape_zyx, 3)}, DataError, "the same value everywhere"),
        ({"image": np.full(GRID.shape_zyx, np.nan)}, DataError, "expected finite"),
    ],
)
def test_what_cannot_work_is_refused(change, family, message):
    call = {"image": np.arange(GRID.size).reshape(GRID.shape_zyx), "radius_nm": 150.0} | change
    with pytest.raises(family, match=message):
        segment_structures(call.pop("image"), GRID, **call)


def test_the_command_writes_labels_and_their_provenance(rng, tmp_path, capsys):
    image, truth = scene(rng)
    source, target = tmp_path / "in.ome.zarr", tmp_path / "out.ome.zarr"
    data = np.stack([np.zeros_like(image), image]).astype(np.uint8)
    volume = Volume(data=data, grid=GRID, modality="lm", channels=("empty", "mito"))
    write_ome_zarr(source, volume)
    call = ["segment", str(source), "-o", str(target), "--radius-nm", "180"]
    assert main(call) == 2
    assert "found empty, mito; pass --channel" in capsys.readouterr().err
    assert main([*call, "--channel", "mito", "--json"]) == 0
    found = SimpleNamespace(**json.loads(capsys.readouterr().out))
    assert found.objects == 2
    labels = open_volume(target, role="labels")
    assert labels.grid.voxel_size_zyx_nm == GRID.voxel_size_zyx_nm
    assert dice(labels.read() > 0, truth > 0) > 0.8
    record = json.loads((tmp_path / "out.ome.zarr.provenance.json").read_text())
    assert record["activity"] == "segmentation"
    assert record["parameters"]["radius_nm"] == 180
    assert main([*call, "--channel", "mito"]) == 2  # not overwritten
    assert main([*call, "--channel", "empty", "--overwrite"]) == 3
