"""Readers on real files; skipped where the shared data are absent."""

from __future__ import annotations

import csv
import logging

import numpy as np
import pytest
import tifffile

from clemkit.errors import AxisError, FormatError, NotFoundError, UnitError
from clemkit.volumes import open_volume, probe, write_ome_zarr
from clemkit.volumes.labels import connected_components, looks_wrapped
from clemkit.workflows.convert import volume_info

pytestmark = pytest.mark.shared


@pytest.mark.parametrize(
    ("name", "shape", "voxel"),
    [
        ("sbem-segmented-neuropil", (285, 259, 275), (1000.7017, 1000, 1000)),
        ("sbem-mask", (286, 259, 275), (1000, 1000, 1000)),
        ("xray-segmented-neuropil", (161, 281, 421), (1000, 1000, 1000)),
    ],
)
def test_platynereis_masks(shared_data, name, shape, voxel):
    path = shared_data / "platy-sbem-xray" / f"{name}.ome.tif"
    volume = open_volume(path, role="mask")
    assert volume.grid.shape_zyx == shape
    assert volume.grid.voxel_size_zyx_nm == pytest.approx(voxel)
    data = volume.read()
    np.testing.assert_array_equal(data, tifffile.imread(path))
    assert 0 < np.count_nonzero(data) < data.size / 2
    np.testing.assert_array_equal(volume.data[100:103, 50:60, 70:90], data[100:103, 50:60, 70:90])


def test_hela_mask_has_no_size_and_wrapped_ids(shared_data):
    path = shared_data / "hela-mito-mask" / "em_mask.tif"
    assert volume_info(path)["voxel_size_zyx_nm"] is None
    with pytest.raises(UnitError, match="--voxel-size"):
        open_volume(path)
    volume = open_volume(path, voxel_size_zyx_nm=(20, 20, 20), role="labels")
    assert volume.grid.shape_zyx == (106, 1750, 1484)
    labels = volume.read()
    assert set(np.unique(labels[::5])) == {0, *range(247, 256)}
    assert looks_wrapped(labels)
    assert connected_components(labels[40:60] > 0)[1] > 20


def test_n5_of_mitochondria_equals_the_tiff_and_the_table(shared_data):
    folder = shared_data / "mito-fibsem"
    volume = open_volume(folder / "segmentation.n5", role="labels")
    assert volume.grid.voxel_size_zyx_nm == (5, 5, 5)
    labels = volume.read()
    np.testing.assert_array_equal(labels, open_volume(folder / "labels.ome.tif").read())
    with (folder / "table.tsv").open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert len(rows) == 38
    for row in rows[:5]:
        found = [np.mean(axis) for axis in np.nonzero(labels == int(row["label"]))]
        assert found == pytest.approx([float(row[f"centroid-{i}"]) for i in range(3)])


def test_n5_levels_and_absent_blocks(shared_data):
    path = shared_data / "mito-fibsem" / "segmentation.xml"
    assert probe(path).levels == ((256,) * 3, (128,) * 3)
    coarse = open_volume(path, level=1, role="labels")
    assert coarse.grid.voxel_size_zyx_nm == (10, 10, 10)
    assert coarse.grid.origin_zyx_nm == (2.5, 2.5, 2.5)
    fine = open_volume(path, role="labels").read()
    kept = (coarse.read()[..., None] == np.stack([fine[i::2, j::2, k::2]
            for i in (0, 1) for j in (0, 1) for k in (0, 1)], -1)).any(-1)  # fmt: skip
    assert kept.mean() > 0.99
    root = shared_data / "mito-fibsem" / "segmentation.n5" / "setup0" / "timepoint0" / "s0"
    assert not (root / "3" / "0" / "3").exists()
    assert not fine[192:, :64, 192:].any()


def test_channels_of_tissues_plain_and_zipped(shared_data):
    folder = shared_data / "platy-em-tissues"
    volume = open_volume(folder / "em_bin2.ome.tif")
    assert volume.data.shape == (4, 260, 236, 250)
    assert volume.grid.voxel_size_zyx_nm == pytest.approx((1098.3, 1100, 1100))
    neuropil = open_volume(folder / "em_bin2.ome.tif", channel=1)
    np.testing.assert_array_equal(neuropil.data[130], volume.data[1, 130])
    assert neuropil.data[130].any()


@pytest.mark.slow
def test_a_large_tiff_inside_a_zip(shared_data):
    full = open_volume(shared_data / "platy-em-tissues" / "em.zip", channel=1, role="mask")
    assert full.data.shape == (519, 471, 500)
    assert full.grid.voxel_size_zyx_nm == pytest.approx((549.133, 549.894, 550), rel=1e-5)
    small = open_volume(shared_data / "platy-em-tissues" / "em_bin2.ome.tif", channel=1)
    pair = full.data[260:262, :470]
    binned = pair.max(0).reshape(235, 2, 250, 2).max((1, 3))
    np.testing.assert_array_equal(binned, small.data[130, :235])


@pytest.mark.parametrize("suffix", ["dm3", "dm4"])
@pytest.mark.parametrize(
    ("name", "shape", "total"),
    [
        ("ref_F_0_2", (1, 3, 2), 15),
        ("ref_F_1_2", (4, 3, 2), 276),
        ("ref_F_2_1", (5, 3, 4), 1770),
        ("ref_T_0_2", (3, 4, 5), 1770),
    ],
)
def test_gatan_files(shared_data, suffix, name, shape, total):
    """Every number from 0 occurs once; the units (micro sign and n) are no lengths."""
    path = shared_data / "dm-tiny" / f"{name}.{suffix}"
    with pytest.raises(UnitError):
        open_volume(path)
    volume = open_volume(path, voxel_size_zyx_nm=(3, 2, 1))
    data = volume.read()
    assert data.dtype == np.float32
    assert data.shape == shape
    assert sorted(data.ravel()) == list(range(data.size))
    assert data.sum() == total


def test_gatan_values_equal_the_hdf5_twin(shared_data):
    import h5py

    for name in ("ref_F_1_2", "ref_F_2_1", "ref_T_0_2"):
        with h5py.File(shared_data / "dm-tiny" / f"{name}.dm5") as file:
            twin = np.squeeze(file["ImageList/[0]/ImageData/Data"][()])
        volume = open_volume(shared_data / "dm-tiny" / f"{name}.dm4", voxel_size_zyx_nm=(1, 1, 1))
        np.testing.assert_array_equal(np.squeeze(volume.read()), twin)


def test_gatan_spectra_and_dm5_are_refused(shared_data):
    with pytest.raises(AxisError, match="found 1"):
        open_volume(shared_data / "dm-tiny" / "ref_F_0_1.dm4")
    with pytest.raises(FormatError, match="dm5 is not read"):
        open_volume(shared_data / "dm-tiny" / "ref_F_0_1.dm5")


def test_maps_of_the_em_data_bank(shared_data):
    import mrcfile

    path = shared_data / "mrc" / "EMD-3001.map"  # columns z, rows x, sections y
    volume = open_volume(path)
    assert volume.grid.shape_zyx == (73, 25, 43)
    assert volume.grid.voxel_size_zyx_nm == pytest.approx((3.303 / 72, 0.471 / 12, 1.793 / 40))
    with mrcfile.open(path) as mrc:
        np.testing.assert_array_equal(volume.read(), mrc.data.transpose(2, 0, 1))
    whole = open_volume(shared_data / "mrc" / "EMD-3197.map")
    assert whole.grid.voxel_size_zyx_nm == pytest.approx((1.14, 1.14, 1.14))


def test_montage_with_an_odd_z_cell(shared_data):
    path = shared_data / "mrc" / "julian-test.mrc"
    info = probe(path)
    assert info.shape == (1, 1348, 1348)
    assert info.voxel_size_zyx_nm == pytest.approx((223.6, 1788.8, 1788.8))
    assert any("unlike x and y" in w for w in info.warnings)
    assert any("SerialEM" in label for label in info.metadata["labels"])


def test_ovule_hdf5(shared_data):
    path = shared_data / "ovule3d" / "sample_ovule.h5"
    with pytest.raises(NotFoundError, match="label, raw"):
        open_volume(path)
    raw, labels = open_volume(path, dataset="raw"), open_volume(path / "label", role="labels")
    assert raw.grid == labels.grid
    assert raw.grid.voxel_size_zyx_nm == pytest.approx((235, 150, 150))
    assert (raw.dtype, labels.dtype) == ("uint8", "uint16")
    assert labels.read().max() == 918


def test_planes_in_a_zip_and_in_a_folder(shared_data):
    archive = shared_data / "neubias-em" / "xyz_8bit__em_volume_tiff_series.zip"
    with pytest.raises(UnitError):
        open_volume(archive)
    volume = open_volume(archive, voxel_size_zyx_nm=(50, 8, 8))
    assert volume.grid.shape_zyx == (21, 256, 256)
    assert volume.read().sum(dtype=np.int64) == 212_171_828
    lung = open_volume(shared_data / "lung-sem", voxel_size_zyx_nm=(100, 10, 10))
    assert lung.grid.shape_zyx == (12, 800, 800)
    one = open_volume(
        shared_data / "lung-sem" / "2016_12_02_0101_s00_10.png", voxel_size_zyx_nm=(100, 10, 10)
    )
    np.testing.assert_array_equal(lung.data[9], one.data[0])


def test_right_and_missing_z_calibration(shared_data):
    folder = shared_data / "neubias-lm"
    right = open_volume(folder / "xyz_8bit__mitotic_plate_calibrated.tif", modality="lm")
    assert right.grid.voxel_size_zyx_nm == pytest.approx((3000, 85.1964, 85.1964), rel=1e-5)
    with pytest.raises(UnitError, match=r"y = 85\.1964 nm and x = 85\.1964 nm, but no z size"):
        open_volume(folder / "xyz_8bit__mitotic_plate_badZcalibrated.tif")
    nuclei = open_volume(folder / "xyzc_16bit__dna_conf_wf.tif", modality="lm")
    assert nuclei.data.shape == (2, 45, 130, 133)
    with pytest.raises(FormatError, match="Zeiss CZI"):
        open_volume(folder / "xyz__multiple_images.czi")


def test_vendor_pixel_size_of_a_dual_beam(shared_data):
    info = probe(shared_data / "tfs-tiff" / "test_image_2.tif")
    assert info.shape == (1, 1024, 1536)
    assert info.voxel_size_zyx_nm == pytest.approx((97.6562,) * 3)
    assert info.metadata["thermofisher"]["System"]["SystemType"] == "Helios G4 PFIB UNSPE"


def test_a_clem_pair_in_two_dimensions(shared_data, caplog):
    with caplog.at_level(logging.WARNING):
        em = open_volume(shared_data / "yeast-clem-2d" / "em.tif")
        lm = open_volume(shared_data / "yeast-clem-2d" / "fluo_red_green.tif", modality="lm")
    assert em.grid.shape_zyx == lm.grid.shape_zyx == (1, 1003, 941)
    assert lm.channel_count == 2
    assert em.grid.voxel_size_zyx_nm == pytest.approx((100.32,) * 3, rel=1e-4)
    assert "mean of y and x" in caplog.text


def test_metaimage_of_a_lung(shared_data):
    path = shared_data / "lung-ct-points" / "3DCT_lung_baseline_small.mha"
    with pytest.raises(UnitError, match="has no unit"):
        open_volume(path)
    volume = open_volume(path, voxel_size_zyx_nm=(5e6, 2.732e6, 2.732e6), modality="xray_ct")
    assert volume.grid.shape_zyx == (64, 78, 57)
    assert volume.grid.origin_zyx_nm == pytest.approx((-1432e6, -148.986e6, -152.461e6))
    assert volume.dtype == np.int16


def test_real_volume_survives_the_way_through_ome_zarr(shared_data, tmp_path):
    volume = open_volume(shared_data / "easifish-crop" / "fix.ome.tif", modality="lm")
    path = write_ome_zarr(tmp_path / "fix.ome.zarr", volume, workers=2)
    again = open_volume(path, modality="lm")
    assert again.grid == volume.grid
    np.testing.assert_array_equal(again.read(), volume.read())


def test_every_file_is_read_or_refused_in_one_line(shared_data):
    """No file of the collection may end in anything but a volume or a clear refusal."""
    from clemkit.errors import ClemkitError

    read, refusals = 0, []
    for path in sorted(shared_data.glob("*/*")):
        if path.name == "em.zip" or (path.is_dir() and path.suffix != ".n5"):
            continue
        try:
            volume_info(path)
            read += 1
        except ClemkitError as error:
            refusals.append(str(error))
    assert [text for text in refusals if "\n" in text] == []
    assert read > 45
    assert len(refusals) > 20
