"""BigWarp: JSON, printed affines, MoBIE tables; direction fixed to moving."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from clemkit.errors import ArgumentError, FormatError, NotFoundError, TooFewLandmarksError
from clemkit.geometry import Space
from clemkit.transforms import Affine
from clemkit.transforms.io.bigwarp import (
    BigWarpSpline,
    bigwarp_affine_line,
    read_bigwarp_affines,
    read_bigwarp_json,
    read_mobie_table_splines,
    write_bigwarp_json,
)

EM, LM = Space("em"), Space("lm")


@pytest.fixture
def spline(rng: np.random.Generator) -> BigWarpSpline:
    fixed = rng.uniform([0, 100, 300], [900, 800, 1200], (7, 3))
    moving = fixed * [1.1, 0.9, 1.05] + [30, -20, 70] + rng.normal(0, 9, (7, 3))
    return BigWarpSpline(
        fixed_zyx_nm=fixed,
        moving_zyx_nm=moving,
        active=(True, True, True, True, True, False, True),
        names=tuple(f"Pt-{i}" for i in range(7)),
    )


def test_landmarks_read_back_bit_by_bit_in_nanometres(
    tmp_path: Path, spline: BigWarpSpline
) -> None:
    path = tmp_path / "w.json"
    write_bigwarp_json(path, spline, unit="nm")
    found = read_bigwarp_json(path, unit="nm")
    assert np.array_equal(found.fixed_zyx_nm, spline.fixed_zyx_nm)
    assert np.array_equal(found.moving_zyx_nm, spline.moving_zyx_nm)
    assert (found.active, found.names, found.kind) == (spline.active, spline.names, spline.kind)
    in_um = read_bigwarp_json(path, unit="um")
    np.testing.assert_allclose(in_um.fixed_zyx_nm, spline.fixed_zyx_nm * 1e3)


def test_the_file_lists_x_first(tmp_path: Path, spline: BigWarpSpline) -> None:
    path = tmp_path / "w.json"
    write_bigwarp_json(path, spline, unit="um")
    first = json.loads(path.read_text())["landmarks"]["fixedPoints"][0]
    np.testing.assert_allclose(np.array(first)[::-1] * 1e3, spline.fixed_zyx_nm[0])


def test_the_spline_goes_through_active_pairs_only(spline: BigWarpSpline) -> None:
    transform = spline.fixed_to_moving(source=EM, target=LM)
    wrong = np.linalg.norm(
        transform.apply_points(spline.fixed_zyx_nm) - spline.moving_zyx_nm, axis=1
    )
    use = np.array(spline.active)
    assert wrong[use].max() < 1e-8
    assert wrong[~use].min() > 1.0
    assert (transform.source, transform.target) == (EM, LM)


def test_real_landmark_json_and_table_agree(shared_data: Path) -> None:
    folder = shared_data / "bigwarp-formats"
    single = read_bigwarp_json(folder / "bigwarp_mri_stack_landmarks.json", unit="um")
    table = read_mobie_table_splines(folder / "thinplatespline-platy-collection.tsv", unit="um")
    assert list(table) == ["platy_tps"]  # the row without a spline is left out
    with (folder / "platy-tps-landmarks.csv").open() as stream:
        rows = np.array([[float(v) for v in row[2:]] for row in csv.reader(stream)])
    for found in (single, table["platy_tps"]):
        assert np.array_equal(found.moving_zyx_nm, rows[:, 2::-1] * 1e3)
        assert np.array_equal(found.fixed_zyx_nm, rows[:, 5:2:-1] * 1e3)
        transform = found.fixed_to_moving(source=EM, target=LM)
        np.testing.assert_allclose(
            transform.apply_points(found.fixed_zyx_nm), found.moving_zyx_nm, atol=1e-6, rtol=0
        )


def test_printed_affines_map_fixed_to_moving(shared_data: Path) -> None:
    folder = shared_data / "platy-sbem-xray"
    with (folder / "big-warp-landmarks.csv").open() as stream:
        rows = np.array([[float(v) for v in row[2:]] for row in csv.reader(stream)])
    moving, fixed = rows[:, 2::-1] * 1e3, rows[:, 5:2:-1] * 1e3
    similarity, affine = read_bigwarp_affines(
        folder / "big-warp-transformations.rtf", unit="um", source=EM, target=LM
    )
    for transform, bound_nm in ((similarity, 7_000.0), (affine, 2_500.0)):
        residual = np.linalg.norm(transform.apply_points(fixed) - moving, axis=1)
        assert residual.max() < bound_nm


def test_an_affine_reads_back(tmp_path: Path, affine: Affine) -> None:
    path = tmp_path / "log.txt"
    path.write_text(f"Affine:\n{bigwarp_affine_line(affine, unit='nm')}\n")
    assert read_bigwarp_affines(path, unit="nm", source=EM, target=LM) == (affine,)


def test_table_cells_may_be_quoted_or_name_a_file(tmp_path: Path, spline: BigWarpSpline) -> None:
    write_bigwarp_json(tmp_path / "w.json", spline, unit="nm")
    text = json.dumps(json.loads((tmp_path / "w.json").read_text()))
    quoted = '"' + text.replace('"', '""') + '"'
    table = tmp_path / "t.tsv"
    table.write_text(f"uri\tname\tthin_plate_spline_uri\nu1\ta\t{quoted}\nu2\t\tw.json\nu3\tc\t\n")
    found = read_mobie_table_splines(table, unit="nm")
    assert list(found) == ["a", "u2"]
    for item in found.values():
        assert np.array_equal(item.fixed_zyx_nm, spline.fixed_zyx_nm)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("BigWarpLandmarks", "Landmarks", "BigWarpLandmarks"),
        ('"numDimensions": 3', '"numDimensions": 2', "expected 3; found 2"),
        ('"movingPoints"', '"points"', "movingPoints"),
        ('"Pt-6"', '"Pt-6", "Pt-7"', "equal length"),
        ("{", "", "expected JSON"),
    ],
)
def test_broken_json_is_one_clear_error(
    tmp_path: Path, spline: BigWarpSpline, old: str, new: str, message: str
) -> None:
    path = tmp_path / "w.json"
    write_bigwarp_json(path, spline, unit="nm")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(FormatError, match=message):
        read_bigwarp_json(path, unit="nm")


@pytest.mark.parametrize(
    ("text", "message"),
    [("nothing here", "found none"), ("3d-affine: (1, 2, 3)", "12 finite numbers"),
     ("3d-affine: (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, nan)", "finite"),
     ("3d-affine: (a, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)", "12 numbers")],
)  # fmt: skip
def test_broken_affines_are_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "log.txt"
    path.write_text(text)
    with pytest.raises(FormatError, match=message):
        read_bigwarp_affines(path, unit="nm", source=EM, target=LM)


def test_broken_tables_are_one_clear_error(tmp_path: Path) -> None:
    table = tmp_path / "t.tsv"
    table.write_text("uri\tname\nu1\ta\n")
    with pytest.raises(FormatError, match="thin_plate_spline_uri"):
        read_mobie_table_splines(table, unit="nm")
    table.write_text('name\tthin_plate_spline_uri\na\t{"type":\n')
    with pytest.raises(FormatError, match="line 2"):
        read_mobie_table_splines(table, unit="nm")
    table.write_text("name\tthin_plate_spline_uri\na\tlost.json\n")
    with pytest.raises(NotFoundError, match=r"lost\.json"):
        read_mobie_table_splines(table, unit="nm")


def test_unset_points_are_not_written_nor_fitted(tmp_path: Path, spline: BigWarpSpline) -> None:
    moving = spline.moving_zyx_nm.copy()
    moving[:4] = np.inf
    unset = BigWarpSpline(
        fixed_zyx_nm=spline.fixed_zyx_nm,
        moving_zyx_nm=moving,
        active=spline.active,
        names=spline.names,
    )
    with pytest.raises(ArgumentError, match="unset"):
        write_bigwarp_json(tmp_path / "w.json", unset, unit="nm")
    with pytest.raises(TooFewLandmarksError):
        unset.fixed_to_moving(source=EM, target=LM)
