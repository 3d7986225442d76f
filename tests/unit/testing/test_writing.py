from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from clemkit.errors import ArgumentError, NotFoundError
from clemkit.geometry import Space
from clemkit.landmarks.io import read_bigwarp_csv, read_named_points
from clemkit.testing import XraySpec, make_xray_phantom, write_phantom
from clemkit.testing.clem import ClemPhantom, make_clem_phantom
from clemkit.testing.spec import PhantomSpec
from clemkit.volumes import open_volume


@pytest.fixture(scope="module")
def xray():
    return make_xray_phantom(XraySpec.small(1))


def test_clem_folder_holds_images_and_truth(tmp_path):
    phantom = make_clem_phantom(PhantomSpec.small(8))
    assert isinstance(phantom, ClemPhantom)
    paths = write_phantom(phantom, tmp_path / "case")
    assert all(path.is_file() for path in paths.values())
    assert np.array_equal(tifffile.imread(paths["lm"]), phantom.lm.data)
    assert np.array_equal(tifffile.imread(paths["em_mitochondria"]), phantom.em_mitochondria.data)
    again = open_volume(paths["lm"])
    assert again.grid.voxel_size_zyx_nm == pytest.approx((250.0, 100.0, 100.0))
    assert again.channels == ("mitochondria", "nuclei")
    # what a registration may read does not contain the truth
    open_files = {p.name for p in (tmp_path / "case").iterdir() if p.is_file()}
    assert not any("heldout" in name or "landmarks" in name for name in open_files)


def test_landmarks_reopen_in_bigwarp_order(xray, tmp_path):
    paths = write_phantom(xray, tmp_path / "x")
    first = paths["landmarks"].read_text().splitlines()[0].replace('"', "").split(",")
    moving, fixed = np.array(first[2:5], float), np.array(first[5:8], float)
    np.testing.assert_allclose(moving[::-1] * 1000, xray.heldout.moving.points_zyx_nm[0])
    np.testing.assert_allclose(fixed[::-1] * 1000, xray.heldout.fixed.points_zyx_nm[0])
    again = read_bigwarp_csv(
        paths["landmarks"], unit="um", moving_space=Space("ct"), fixed_space=Space("em")
    )
    assert len(again.pairs) == len(xray.heldout)
    points = read_named_points(paths["points_fixed"], space=Space("em")).points
    np.testing.assert_allclose(points.points_zyx_nm, xray.heldout.fixed.points_zyx_nm)
    assert json.loads(paths["info"].read_text())["seed"] == 1


def test_existing_folder_is_kept_unless_asked(xray, tmp_path):
    target = tmp_path / "x"
    write_phantom(xray, target)
    (target / "mine.txt").write_text("keep")
    with pytest.raises(ArgumentError, match="existing output"):
        write_phantom(xray, target)
    assert (target / "mine.txt").read_text() == "keep"
    write_phantom(xray, target, overwrite=True)
    assert not (target / "mine.txt").exists()
    assert (target / "truth" / "landmarks.csv").is_file()


def test_absent_parent_is_named(xray, tmp_path):
    with pytest.raises(NotFoundError, match="absent"):
        write_phantom(xray, tmp_path / "absent" / "x")
    assert list(tmp_path.iterdir()) == []
