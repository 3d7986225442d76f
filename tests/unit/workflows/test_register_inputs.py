"""Opening both sides: spaces, labels, channels, and what is noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from clemkit.errors import ArgumentError, AxisError, NotFoundError, UnitError
from clemkit.geometry import Grid, Space
from clemkit.volumes import Volume, write_ome_tiff, write_ome_zarr
from clemkit.workflows.register_inputs import open_inputs

SHAPE, EM, LM = (9, 41, 47), (50.0, 45.0, 42.0), (200.0, 110.0, 100.0)


def write(path: Path, data, voxel, origin=(0.0, 0.0, 0.0), **kwargs) -> Path:
    grid = Grid(
        space=Space("any"),
        shape_zyx=data.shape[-3:],
        voxel_size_zyx_nm=voxel,
        origin_zyx_nm=origin,
    )
    writer = write_ome_zarr if path.suffix == ".zarr" else write_ome_tiff
    writer(path, Volume(data=data, grid=grid, modality="em", **kwargs))
    return path


@pytest.fixture
def em(tmp_path, rng):
    return write(tmp_path / "em.ome.tif", rng.integers(1, 255, SHAPE, dtype=np.uint8), EM)


@pytest.fixture
def lm(tmp_path, rng):
    data = rng.poisson(30, (2, 8, 40, 50)).astype(np.uint16)
    return write(tmp_path / "lm.ome.tif", data, LM, channels=("nuclei", "mitochondria"))


def instances(shape=SHAPE):
    out = np.zeros(shape, np.uint16)
    for n, (z, y, x) in enumerate([(1, 3, 5), (3, 20, 30), (5, 10, 12), (6, 30, 6)], start=1):
        out[z : z + 3, y : y + 8, x : x + 9] = n
    return out


def test_spaces_and_notes(em, lm):
    found = open_inputs(em, lm)
    assert found.fixed.volume.grid.space == Space("fixed")
    assert found.moving.volume.grid.space == Space("moving")
    assert found.fixed.volume.modality == "em"
    assert found.moving.volume.modality == "lm"
    assert found.fixed.labels is None
    assert found.moving.channel is None  # the engine tries all
    assert found.paths == (em, lm)
    assert any("light microscopy (2 channels)" in note for note in found.notes)


def test_structure_names_the_channel(em, lm):
    found = open_inputs(em, lm, structure="Mitochondria")
    assert found.moving.channel == 1
    assert (
        open_inputs(em, lm, structure="mitochondria", moving_channel="nuclei").moving.channel == 0
    )
    with pytest.raises(NotFoundError, match=r"--moving-channel.*'RFP'"):
        open_inputs(em, lm, moving_channel="RFP")


def test_modalities_may_be_told(em, lm):
    found = open_inputs(em, lm, fixed_modality="xray_ct", moving_modality="em")
    assert (found.fixed.volume.modality, found.moving.volume.modality) == ("xray_ct", "em")
    assert not any("taken as" in note for note in found.notes if "channel" not in note)


def test_labels_without_voxel_size_lie_on_their_volume(em, lm, tmp_path):
    path = tmp_path / "labels.tif"
    tifffile.imwrite(path, instances())
    found = open_inputs(em, lm, fixed_labels=path)
    assert found.fixed.labels.grid == found.fixed.volume.grid
    assert found.fixed.labels.role == "labels"
    assert found.fixed.labels_path == path
    given = open_inputs(em, lm, fixed_labels=path, fixed_voxel_size_zyx_nm=(60, 50, 40))
    assert given.fixed.labels.grid.voxel_size_zyx_nm == (60, 50, 40)


def test_labels_that_contradict_their_volume_are_reported(em, lm, tmp_path):
    path = write(tmp_path / "labels.ome.tif", instances(), (1.0, 1.0, 1.0))
    found = open_inputs(em, lm, fixed_labels=path)
    assert found.fixed.labels.grid == found.fixed.volume.grid
    assert any("(1.0, 1.0, 1.0) nm" in note for note in found.notes)


def test_coarser_labels_keep_their_own_grid(em, lm, tmp_path):
    coarse = instances()[::1, ::2, ::2][:, :20, :23]
    path = write(tmp_path / "coarse.ome.zarr", coarse, (50.0, 90.0, 84.0), (0.0, 22.5, 21.0))
    found = open_inputs(em, lm, fixed_labels=path)
    assert found.fixed.labels.grid.voxel_size_zyx_nm == (50.0, 90.0, 84.0)
    assert found.fixed.labels.grid.origin_zyx_nm == (0.0, 22.5, 21.0)
    assert found.fixed.labels.grid.space == Space("fixed")


def test_labels_of_another_shape_need_a_voxel_size(em, lm, tmp_path):
    path = tmp_path / "turned.tif"
    tifffile.imwrite(path, instances().transpose(1, 2, 0).copy())
    with pytest.raises(ArgumentError, match=r"expected the shape \(9, 41, 47\)"):
        open_inputs(em, lm, fixed_labels=path)


def test_labels_elsewhere_are_refused(em, lm, tmp_path):
    path = write(tmp_path / "far.ome.zarr", instances((4, 30, 30)), EM, (1e6, 0.0, 0.0))
    with pytest.raises(ArgumentError, match="0% lies in it"):
        open_inputs(em, lm, fixed_labels=path)


def test_a_volume_of_labels_is_its_own_labels(lm, tmp_path):
    path = write(tmp_path / "mito.ome.tif", instances(), EM)
    found = open_inputs(path, lm)
    assert found.fixed.labels is found.fixed.volume
    assert found.fixed.labels_path is None
    assert any("holds labels" in note for note in found.notes)
    grey = open_inputs(path, lm, structure="intensity")
    assert grey.fixed.labels is None


def test_soft_masks_become_sharp(em, lm, tmp_path):
    mask = np.zeros((9, 80, 90), np.uint8)
    mask[2:7, 20:60, 30:70] = 255
    mask[4, 20, 30:70] = np.linspace(10, 240, 40).astype(np.uint8)
    path = write(tmp_path / "mask.ome.zarr", mask, (50.0, 23.0, 22.0))
    found = open_inputs(em, lm, fixed_labels=path)
    values = found.fixed.labels.read()
    assert set(np.unique(values)) == {0, 1}
    assert np.array_equal(values, mask > 127.5)
    assert any("soft edges" in note for note in found.notes)


def test_wrapped_ids_become_components(em, lm, tmp_path):
    true = instances()
    path = write(tmp_path / "wrapped.ome.tif", np.where(true, 252 + true % 2, 0).astype("u1"), EM)
    found = open_inputs(em, lm, fixed_labels=path)
    assert len(np.unique(found.fixed.labels.read())) == 5
    assert any("cut off while saving" in note for note in found.notes)


def test_missing_size_names_the_side(em, tmp_path, rng):
    path = tmp_path / "bare.tif"
    tifffile.imwrite(path, rng.integers(0, 99, (5, 20, 20), dtype=np.uint16))
    with pytest.raises(UnitError, match="--moving-voxel-size Z,Y,X"):
        open_inputs(em, path)
    with pytest.raises(UnitError, match="--fixed-voxel-size Z,Y,X"):
        open_inputs(path, em)
    found = open_inputs(em, path, moving_voxel_size_zyx_nm=(300, 100, 100))
    assert found.moving.volume.grid.voxel_size_zyx_nm == (300, 100, 100)


def test_planes_go_with_planes(em, lm, tmp_path, rng):
    plane = write(tmp_path / "p.ome.tif", rng.integers(1, 255, (1, 41, 47), dtype=np.uint8), EM)
    assert open_inputs(plane, plane).moving.volume.grid.shape_zyx[0] == 1
    with pytest.raises(AxisError, match="one plane as the moving volume and 9 planes"):
        open_inputs(em, plane)


def test_exchanged_volumes_raise_suspicion(em, lm):
    assert open_inputs(em, lm).hints == ()
    assert any("exchanged" in hint for hint in open_inputs(lm, em).hints)


def test_rgb_needs_a_channel(em, tmp_path, rng):
    path = tmp_path / "rgb.tif"
    data = rng.integers(0, 255, (9, 20, 22, 3), dtype=np.uint8)
    tifffile.imwrite(path, data, photometric="rgb")
    size = (200, 100, 100)
    with pytest.raises(AxisError, match="--moving-channel"):
        open_inputs(em, path, moving_voxel_size_zyx_nm=size)
    found = open_inputs(em, path, moving_voxel_size_zyx_nm=size, moving_channel=1)
    assert found.moving.channel == 0
    assert np.array_equal(found.moving.volume.read(), data[..., 1])
