from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import tifffile

from clemkit.errors import FormatError, NotFoundError, UnitError
from clemkit.geometry import Space
from clemkit.volumes import Pyramid, VolumeInfo, open_volume, probe, write_ome_zarr

VOXEL = (50.0, 8.0, 10.0)


@pytest.fixture
def bare(tmp_path, cube):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, cube, compression="zlib")
    return path


@pytest.mark.parametrize(("modality", "name"), [("em", "em"), ("lm", "lm"), ("xray_ct", "ct")])
def test_space_follows_the_modality_unless_given(bare, modality, name):
    volume = open_volume(bare, voxel_size_zyx_nm=VOXEL, modality=modality)
    assert volume.grid.space == Space(name)
    mine = open_volume(bare, voxel_size_zyx_nm=VOXEL, modality=modality, space=Space("mine"))
    assert mine.grid.space == Space("mine")


def test_a_given_size_overrides_the_file(tmp_path, volume):
    path = write_ome_zarr(tmp_path / "a.ome.zarr", volume)
    assert open_volume(path, voxel_size_zyx_nm=(1, 2, 3)).grid.voxel_size_zyx_nm == (1, 2, 3)


def test_a_given_size_scales_with_the_level(tmp_path, volume):
    path = write_ome_zarr(tmp_path / "a.ome.zarr", volume, levels=3)
    pyramid = Pyramid.open(path, voxel_size_zyx_nm=(5, 2, 3))
    assert [p.grid.voxel_size_zyx_nm for p in pyramid.levels] == [(5, 2, 3), (5, 4, 6), (5, 8, 12)]
    assert pyramid.levels[2].grid.origin_zyx_nm == pytest.approx((100, -17, 8))


@pytest.mark.parametrize("size", [(0, 8, 10), (50, -8, 10)])
def test_a_given_size_must_be_positive(bare, size):
    with pytest.raises(UnitError, match="expected values > 0 nm"):
        open_volume(bare, voxel_size_zyx_nm=size)


def test_format_is_known_by_its_first_bytes_too(bare, cube):
    nameless = bare.with_name("recording")
    bare.rename(nameless)
    np.testing.assert_array_equal(open_volume(nameless, voxel_size_zyx_nm=VOXEL).read(), cube)


def test_unknown_formats(tmp_path):
    with pytest.raises(NotFoundError, match="found nothing there"):
        probe(tmp_path / "absent.tif")
    path = tmp_path / "a.xyz"
    path.write_bytes(b"who knows")
    with pytest.raises(FormatError, match="expected a known image format"):
        probe(path)
    path = tmp_path / "a.czi"
    path.write_bytes(b"ZISRAWFILE")
    with pytest.raises(FormatError, match="Zeiss CZI is not read; export it as OME-TIFF"):
        probe(path)


def test_remarks_are_logged_unless_answered(bare, caplog):
    open_volume(bare, voxel_size_zyx_nm=VOXEL)
    assert [r.message.partition(": ")[2] for r in caplog.records] == [
        "the file does not name its first axis; it is taken as z"
    ]


def test_probe_is_a_frozen_value(bare):
    info = probe(bare)
    assert isinstance(info, VolumeInfo)
    assert (info.extent("c"), info.extent("y"), info.shape_zyx) == (1, 11, (7, 11, 13))
    with pytest.raises(AttributeError):
        info.format = "other"


def test_importing_volumes_loads_no_reader_library():
    code = (
        "import sys, clemkit.volumes\n"
        "print(sorted({'zarr', 'tifffile', 'h5py', 'scipy', 'mrcfile', 'imagecodecs'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
