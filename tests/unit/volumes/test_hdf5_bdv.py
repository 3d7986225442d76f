from __future__ import annotations

import h5py
import numpy as np
import pytest

from clemkit.errors import AxisError, FormatError, NotFoundError, UnitError
from clemkit.volumes import open_volume, probe

VOXEL = (50.0, 8.0, 10.0)
XML = """<SpimData version="0.2"><BasePath type="relative">.</BasePath>
<SequenceDescription><ImageLoader format="bdv.hdf5"><hdf5 type="relative">a.h5</hdf5></ImageLoader>
<ViewSetups>{setups}</ViewSetups>
<Timepoints type="range"><first>0</first><last>{last}</last></Timepoints></SequenceDescription>
<ViewRegistrations>{views}</ViewRegistrations></SpimData>"""
SETUP = """<ViewSetup><id>{i}</id><name>{name}</name><size>13 11 7</size><voxelSize>
<unit>{unit}</unit><size>0.010 0.008 0.05</size></voxelSize></ViewSetup>"""
VIEW = """<ViewRegistration timepoint="0" setup="{i}">{transforms}</ViewRegistration>"""
AFFINE = '<ViewTransform type="affine"><affine>{}</affine></ViewTransform>'
PLAIN = AFFINE.format("0.010 0 0 0.0035 0 0.008 0 -0.020 0 0 0.05 0.100")


def plain_file(path, arrays, **attributes):
    with h5py.File(path, "w") as file:
        for name, data in arrays.items():
            item = file.create_dataset(name, data=data, chunks=True, compression="gzip")
            item.attrs.update(attributes)
    return path


def bdv_file(folder, cube, *, transforms=PLAIN, unit="µm", times=1, xml=True):
    with h5py.File(folder / "a.h5", "w") as file:
        for setup in range(2):
            file[f"s{setup:02d}/resolutions"] = np.array([[1, 1, 1], [2, 2, 1]], float)
            for time in range(times):
                data = (cube.astype("u2") + 40000 + 1000 * setup + time).view("i2")
                group = f"t{time:05d}/s{setup:02d}"
                file[f"{group}/0/cells"] = data
                file[f"{group}/1/cells"] = data[:, ::2, ::2]
    if xml:
        setups = "".join(SETUP.format(i=i, name=n, unit=unit) for i, n in enumerate(["em", "lm"]))
        views = "".join(VIEW.format(i=i, transforms=transforms) for i in range(2))
        text = XML.format(setups=setups, views=views, last=times - 1)
        (folder / "a.xml").write_text(text, encoding="utf-8")
    return folder / "a.xml"


def test_one_data_set_with_element_size(tmp_path, cube):
    path = plain_file(tmp_path / "a.h5", {"raw": cube}, element_size_um=(0.05, 0.008, 0.01))
    volume = open_volume(path)
    assert volume.grid.voxel_size_zyx_nm == pytest.approx(VOXEL)
    np.testing.assert_array_equal(volume.read(), cube)
    np.testing.assert_array_equal(volume.data[3, 2:5, ::3], cube[3, 2:5, ::3])


def test_several_data_sets_need_a_choice(tmp_path, cube):
    arrays = {"raw": cube, "seg/labels": cube.astype("u4")}
    path = plain_file(tmp_path / "a.h5", arrays, element_size_um=(0.05, 0.008, 0.01))
    assert probe(path).datasets == ("raw", "seg/labels")
    with pytest.raises(NotFoundError, match="found several: raw, seg/labels; name one"):
        open_volume(path)
    assert open_volume(path, dataset="seg/labels").dtype == "uint32"
    np.testing.assert_array_equal(open_volume(path / "seg" / "labels").read(), cube)
    with pytest.raises(NotFoundError, match="expected one of: raw, seg/labels"):
        open_volume(path, dataset="mask")


@pytest.mark.parametrize("sizes", [{}, {"element_size_um": (0.0, 0.0, 0.0)}])
def test_no_size_no_volume(tmp_path, cube, sizes):
    path = plain_file(tmp_path / "a.h5", {"raw": cube}, **sizes)
    with pytest.raises(UnitError, match="pass the voxel size"):
        open_volume(path)
    assert open_volume(path, voxel_size_zyx_nm=VOXEL).grid.voxel_size_zyx_nm == VOXEL


def test_axes_by_label_or_refused(tmp_path, rng):
    data = rng.integers(0, 9, (7, 11, 13, 2), dtype=np.uint8)
    path = plain_file(tmp_path / "a.h5", {"raw": data}, element_size_um=(0.05, 0.008, 0.01))
    with pytest.raises(AxisError, match="labelled axes for 4 axes"):
        open_volume(path)
    with h5py.File(path, "a") as file:
        for dim, label in zip(file["raw"].dims, "zyxc", strict=True):
            dim.label = label
    volume = open_volume(path)
    assert volume.data.shape == (2, 7, 11, 13)
    np.testing.assert_array_equal(volume.read(channel=1), data[..., 1])


def test_no_hdf5(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 40)
    with pytest.raises(FormatError, match="expected a whole HDF5 file"):
        open_volume(path)
    with h5py.File(path, "w") as file:
        file["table"] = np.arange(5)
    with pytest.raises(FormatError, match="found none"):
        open_volume(path)


@pytest.mark.parametrize("name", ["a.xml", "a.h5"])
def test_bdv_size_origin_and_unsigned_voxels(tmp_path, cube, name):
    bdv_file(tmp_path, cube)
    path = tmp_path / name
    volume = open_volume(path, series="lm")
    assert volume.grid.voxel_size_zyx_nm == pytest.approx(VOXEL)
    assert volume.grid.origin_zyx_nm == pytest.approx((100.0, -20.0, 3.5))
    assert volume.dtype == "uint16"
    np.testing.assert_array_equal(volume.read(), cube.astype("u2") + 41000)
    info = probe(path)
    assert info.series == ("em", "lm")
    assert info.levels == ((7, 11, 13), (7, 6, 7))


def test_bdv_levels_lie_where_they_belong(tmp_path, cube):
    coarse = open_volume(bdv_file(tmp_path, cube), level=1)
    assert coarse.grid.voxel_size_zyx_nm == pytest.approx((50.0, 16.0, 20.0))
    assert coarse.grid.origin_zyx_nm == pytest.approx((100.0, -16.0, 8.5))


def test_bdv_transforms_multiply_first_listed_last(tmp_path, cube):
    calibration = AFFINE.format("0.010 0 0 0 0 0.008 0 0 0 0 0.05 0")
    shift = AFFINE.format("1 0 0 0.0035 0 1 0 -0.020 0 0 1 0.100")
    volume = open_volume(bdv_file(tmp_path, cube, transforms=shift + calibration))
    assert volume.grid.origin_zyx_nm == pytest.approx((100.0, -20.0, 3.5))


def test_bdv_rotation_is_told_not_applied(tmp_path, cube):
    turned = AFFINE.format("0 -0.010 0 0 0.008 0 0 0 0 0 0.05 0")
    path = bdv_file(tmp_path, cube, transforms=turned)
    assert any("not applied" in w for w in probe(path).warnings)
    assert open_volume(path).grid.voxel_size_zyx_nm == pytest.approx(VOXEL)


def test_bdv_time_and_missing_unit(tmp_path, cube):
    path = bdv_file(tmp_path, cube, times=3)
    with pytest.raises(AxisError, match="time series of 3 points"):
        open_volume(path)
    np.testing.assert_array_equal(open_volume(path, time=2).read(), cube.astype("u2") + 40002)
    for unit in ("pixel", "px"):
        with pytest.raises(UnitError, match="pass the voxel size"):
            open_volume(bdv_file(tmp_path, cube, unit=unit))


def test_bdv_without_xml_has_no_size(tmp_path, cube):
    bdv_file(tmp_path, cube, xml=False)
    with pytest.raises(UnitError):
        open_volume(tmp_path / "a.h5")
    volume = open_volume(tmp_path / "a.h5", voxel_size_zyx_nm=VOXEL)
    np.testing.assert_array_equal(volume.read(), cube.astype("u2") + 40000)


def test_bdv_container_absent(tmp_path, cube):
    path = bdv_file(tmp_path, cube)
    (tmp_path / "a.h5").unlink()
    with pytest.raises(NotFoundError, match="expected its container"):
        open_volume(path)
    path.write_text("<SpimData><broken>")
    with pytest.raises(FormatError, match="expected XML"):
        open_volume(path)
