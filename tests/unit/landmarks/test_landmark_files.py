"""Landmark files: formats, traps, units, round trips."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clemkit.errors import (
    ArgumentError,
    AxisError,
    FormatError,
    NotFoundError,
    UnitError,
)
from clemkit.geometry import Grid, Space
from clemkit.landmarks import LandmarkPairs, LandmarkSet
from clemkit.landmarks.io import (
    read_landmark_pairs,
    read_landmark_points,
    read_named_points,
    read_pairs_file,
    sniff_format,
    write_landmark_pairs,
    write_landmark_points,
    write_named_points,
    write_napari_points,
)

EM, LM = Space("em"), Space("lm")
SPACES = {"moving_space": LM, "fixed_space": EM}
ROW = '"a","true","1.5","2.5","3.5","10","20","30"\n'


def write(folder: Path, text: str, name: str = "pairs.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def rules(file) -> set[str]:
    return {finding.rule for finding in file.findings}


@pytest.mark.parametrize(
    "text",
    [
        ROW,
        "a,TRUE,1.5,2.5,3.5,10,20,30\n",
        "a,True,7,1.5,2.5,3.5,10,20,30\r\n",
        "name,active,mx,my,mz,fx,fy,fz\ra,true,1.5,2.5,3.5,10,20,30\r",
        "\ufeffa,true,1.5,2.5,3.5,10,20,30",
    ],
)
def test_bigwarp_rows_are_moving_then_fixed_in_x_y_z(tmp_path, text) -> None:
    file = read_pairs_file(write(tmp_path, text), unit="um", **SPACES)
    assert file.format == "bigwarp-csv"
    np.testing.assert_allclose(file.pairs.moving.points_zyx_nm, [[3500, 2500, 1500]])
    np.testing.assert_allclose(file.pairs.fixed.points_zyx_nm, [[30000, 20000, 10000]])
    assert file.pairs.ids == ("a",)
    assert (file.pairs.moving.space, file.pairs.fixed.space) == (LM, EM)


@pytest.mark.parametrize("text", ["a,true,1,2,10,20\n", "a,true,0,1,2,10,20\n"])
def test_bigwarp_in_two_dimensions_has_z_zero(tmp_path, text) -> None:
    pairs = read_landmark_pairs(write(tmp_path, text), unit="nm", **SPACES)
    np.testing.assert_array_equal(pairs.moving.points_zyx_nm, [[0, 2, 1]])
    np.testing.assert_array_equal(pairs.fixed.points_zyx_nm, [[0, 20, 10]])


def test_inactive_and_missing_rows_are_left_out_and_counted(tmp_path) -> None:
    text = ROW + "b,FALSE,1,2,3,4,5,6\nc,true,Infinity,Infinity,Infinity,4,5,6\nd,true,,,,4,5,6\n"
    file = read_pairs_file(write(tmp_path, text), unit="um", **SPACES)
    assert (len(file.pairs), file.inactive_count, file.missing_count) == (1, 1, 2)
    assert rules(file) == {"landmarks.inactive", "landmarks.missing-point"}
    with pytest.raises(FormatError, match="1 inactive"):
        read_pairs_file(write(tmp_path, "b,false,1,2,3,4,5,6\n"), unit="um", **SPACES)


def test_a_missing_unit_names_the_option(tmp_path) -> None:
    with pytest.raises(UnitError, match="--units"):
        read_landmark_pairs(write(tmp_path, ROW), **SPACES)
    with pytest.raises(UnitError, match="unknown length unit"):
        read_landmark_pairs(write(tmp_path, ROW), unit="furlong", **SPACES)


def test_sides_may_have_different_units(tmp_path) -> None:
    file = read_pairs_file(write(tmp_path, ROW), unit="um", fixed_unit="nm", **SPACES)
    np.testing.assert_allclose(file.pairs.moving.points_zyx_nm[0, 2], 1500)
    np.testing.assert_allclose(file.pairs.fixed.points_zyx_nm[0, 2], 10)


def test_repeated_names_become_unique(tmp_path) -> None:
    file = read_pairs_file(write(tmp_path, ROW * 2 + ROW.replace('"a"', '""')), unit="um", **SPACES)
    assert file.pairs.ids == ("a", "a (2)", "row-3")
    assert rules(file) == {"landmarks.repeated-name"}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a,true,1,2,3\n", "expected BigWarp"),
        (ROW + "b,true,1,2,3,4,5\n", "line 2"),
        (ROW + "b,true,1,2,x,4,5,6\n", "line 2: expected a number; found 'x'"),
        ("", "empty"),
        ('{"landmarks": {}}', "movingPoints"),
        ('{"landmarks": ', "expected JSON"),
    ],
)
def test_damaged_files_say_where(tmp_path, text, match) -> None:
    with pytest.raises(FormatError, match=match):
        read_landmark_pairs(write(tmp_path, text), unit="um", **SPACES)


def test_binary_and_absent_files(tmp_path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\x00\x01" * 50)
    with pytest.raises(FormatError, match="binary"):
        sniff_format(tmp_path / "x.csv")
    with pytest.raises(NotFoundError):
        sniff_format(tmp_path / "absent.csv")


def test_bigwarp_json_with_inactive_and_infinite_points(tmp_path) -> None:
    table = {
        "type": "BigWarpLandmarks",
        "numDimensions": 3,
        "movingPoints": [[1, 2, 3], [4, 5, 6], ["Infinity"] * 3],
        "fixedPoints": [[7, 8, 9], [1, 1, 1], [2, 2, 2]],
        "active": [True, False, True],
        "names": ["a", "b", "c"],
    }
    for document in (table, {"type": "Affine", "landmarks": table}):
        path = write(tmp_path, json.dumps(document), "l.json")
        file = read_pairs_file(path, unit="um", **SPACES)
        assert (file.pairs.ids, file.inactive_count, file.missing_count) == (("a",), 1, 1)
        np.testing.assert_allclose(file.pairs.moving.points_zyx_nm, [[3000, 2000, 1000]])


def test_named_columns_in_any_order_with_their_units(tmp_path) -> None:
    text = "z_nm,y_nm,x_nm,id,sigma_z_nm,sigma_y_nm,sigma_x_nm\n1,2,3,q,4,5,6\n"
    file = read_named_points(write(tmp_path, text), space=EM)
    np.testing.assert_array_equal(file.points.points_zyx_nm, [[1, 2, 3]])
    np.testing.assert_array_equal(file.points.sigma_zyx_nm, [[4, 5, 6]])
    assert file.points.ids == ("q",)
    with pytest.raises(UnitError, match="found 'nm' in the file"):
        read_named_points(tmp_path / "pairs.csv", unit="um", space=EM)
    mixed = write(tmp_path, "z_um,y_nm,x_nm\n1,2,3\n")
    with pytest.raises(UnitError, match="one unit"):
        read_landmark_points(mixed, space=EM)
    none = write(tmp_path, "X (µm);Y (µm);Z (µm)\n1;2;3\n")
    np.testing.assert_array_equal(
        read_landmark_points(none, space=EM).points.points_zyx_nm, [[3000, 2000, 1000]]
    )


@pytest.mark.parametrize(
    ("header", "swapped", "assumed"),
    [
        ("name,x_left,y_left,z_left,x_right,y_right,z_right", False, True),
        ("name,moving_x,moving_y,moving_z,fixed_x,fixed_y,fixed_z", False, False),
        ("name,target_x,target_y,target_z,source_x,source_y,source_z", True, False),
        ("name,em x,em y,em z,lm x,lm y,lm z", True, False),
    ],
)
def test_named_pairs_know_their_sides(tmp_path, header, swapped, assumed) -> None:
    path = write(tmp_path, f"{header}\rn1,1,2,3,4,5,6\r")
    file = read_pairs_file(path, unit="nm", **SPACES)
    first = file.pairs.fixed if swapped else file.pairs.moving
    np.testing.assert_array_equal(first.points_zyx_nm, [[3, 2, 1]])
    assert ("landmarks.assumed-sides" in rules(file)) == assumed
    assert file.pairs.ids == ("n1",)


def test_rows_of_numbers_are_taken_in_bigwarps_order_and_say_so(tmp_path) -> None:
    file = read_pairs_file(write(tmp_path, "1 ,2,3,4,5,6\n7,8,9,1,2,3\n"), unit="nm", **SPACES)
    np.testing.assert_array_equal(file.pairs.moving.points_zyx_nm[0], [3, 2, 1])
    assert rules(file) == {"landmarks.assumed-columns"}


def test_elastix_point_and_index_files(tmp_path) -> None:
    path = write(tmp_path, "point\n2\n1 2 3\n4 5 6\n", "p.pts")
    file = read_landmark_points(path, unit="mm", space=EM)
    np.testing.assert_allclose(file.points.points_zyx_nm[0], [3e6, 2e6, 1e6])
    index = write(tmp_path, "index\n1\n1 2 3\n", "i.txt")
    grid = Grid(
        space=EM, shape_zyx=(7, 11, 13), voxel_size_zyx_nm=(50, 8, 10), origin_zyx_nm=(5, -3, 2)
    )
    found = read_landmark_points(index, space=EM, grid=grid).points.points_zyx_nm
    np.testing.assert_allclose(found, [[155, 13, 12]])
    with pytest.raises(ArgumentError, match="grid"):
        read_landmark_points(index, space=EM)
    with pytest.raises(FormatError, match="cut off"):
        read_landmark_points(write(tmp_path, "point\n3\n1 2 3\n", "c.pts"), unit="mm", space=EM)
    with pytest.raises(UnitError, match="--units"):
        read_landmark_points(path, space=EM)


def test_two_point_files_make_pairs(tmp_path) -> None:
    a = write(tmp_path, "point\n2\n1 2 3\n4 5 6\n", "m.txt")
    b = write(tmp_path, "point\n2\n7 8 9\n1 1 1\n", "f.txt")
    file = read_pairs_file(a, fixed_path=b, unit="mm", **SPACES)
    np.testing.assert_allclose(file.pairs.fixed.points_zyx_nm[0], [9e6, 8e6, 7e6])
    with pytest.raises(ArgumentError, match="other side"):
        read_landmark_pairs(a, unit="mm", **SPACES)
    c = write(tmp_path, "point\n1\n7 8 9\n", "g.txt")
    with pytest.raises(ArgumentError, match="as many"):
        read_pairs_file(a, fixed_path=c, unit="mm", **SPACES)


def test_napari_points_need_a_grid_or_a_unit(tmp_path) -> None:
    path = write(tmp_path, "index,axis-0,axis-1,axis-2\n0.0,1,2,3\n")
    grid = Grid(space=EM, shape_zyx=(7, 11, 13), voxel_size_zyx_nm=(50, 8, 10))
    found = read_landmark_points(path, space=EM, grid=grid).points.points_zyx_nm
    np.testing.assert_allclose(found, [[50, 16, 30]])
    found = read_landmark_points(path, space=EM, unit="um").points.points_zyx_nm
    np.testing.assert_allclose(found, [[1000, 2000, 3000]])
    with pytest.raises(UnitError):
        read_landmark_points(path, space=EM)
    time = write(tmp_path, "index,axis-0,axis-1,axis-2,axis-3\n0,0,1,2,3\n")
    with pytest.raises(AxisError, match="time point"):
        read_landmark_points(time, space=EM, unit="um")


COORDINATE = st.floats(-1e9, 1e9, allow_nan=False).map(lambda v: round(v, 4))
POINT = st.tuples(COORDINATE, COORDINATE, COORDINATE)


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.tuples(POINT, POINT), min_size=1, max_size=6),
    unit=st.sampled_from(["nm", "um", "mm"]),
    kind=st.sampled_from(["bigwarp-csv", "bigwarp-json", "named-pairs"]),
)
def test_pairs_survive_a_round_trip(tmp_path_factory, rows, unit, kind) -> None:
    ids = tuple(f"p, {k}" for k in range(len(rows)))
    pairs = LandmarkPairs(
        moving=LandmarkSet(space=LM, ids=ids, points_zyx_nm=np.array([r[0] for r in rows])),
        fixed=LandmarkSet(space=EM, ids=ids, points_zyx_nm=np.array([r[1] for r in rows])),
    )
    path = tmp_path_factory.mktemp("trip") / "out.txt"
    write_landmark_pairs(path, pairs, format=kind, unit=unit)
    assert sniff_format(path) == kind
    back = read_landmark_pairs(path, unit=unit, **SPACES)
    np.testing.assert_allclose(
        back.moving.points_zyx_nm, pairs.moving.points_zyx_nm, rtol=1e-14, atol=1e-9
    )
    np.testing.assert_allclose(
        back.fixed.points_zyx_nm, pairs.fixed.points_zyx_nm, rtol=1e-14, atol=1e-9
    )
    assert back.ids == ids


@pytest.mark.parametrize("kind", ["named-points", "elastix", "napari-points"])
def test_points_survive_a_round_trip(tmp_path, rng, kind) -> None:
    points = LandmarkSet(space=EM, ids=("a", "b"), points_zyx_nm=rng.normal(size=(2, 3)) * 1e5)
    path = tmp_path / "points.out"
    write_landmark_points(path, points, format=kind, unit="um")
    assert sniff_format(path) == kind
    back = read_landmark_points(path, unit="um", space=EM).points
    np.testing.assert_allclose(back.points_zyx_nm, points.points_zyx_nm, rtol=1e-14)
    with pytest.raises(ArgumentError, match="exists"):
        write_landmark_points(path, points, format=kind)


def test_napari_in_voxels_and_extra_columns(tmp_path, rng) -> None:
    grid = Grid(
        space=EM, shape_zyx=(7, 11, 13), voxel_size_zyx_nm=(50, 8, 10), origin_zyx_nm=(5, -3, 2)
    )
    points = LandmarkSet(space=EM, ids=("a", "b"), points_zyx_nm=rng.normal(size=(2, 3)) * 100)
    write_napari_points(tmp_path / "n.csv", points, grid=grid)
    back = read_landmark_points(tmp_path / "n.csv", space=EM, grid=grid).points
    np.testing.assert_allclose(back.points_zyx_nm, points.points_zyx_nm)
    write_named_points(tmp_path / "p.csv", points, columns={"label": [5, 6]})
    assert (tmp_path / "p.csv").read_text().splitlines()[0] == "id,z_nm,y_nm,x_nm,label"


def test_unknown_formats_are_refused(tmp_path, rng) -> None:
    points = LandmarkSet(space=EM, ids=("a",), points_zyx_nm=rng.normal(size=(1, 3)))
    with pytest.raises(ArgumentError, match="point format"):
        write_landmark_points(tmp_path / "x", points, format="bigwarp-csv")
    with pytest.raises(ArgumentError, match="pair format"):
        write_landmark_pairs(
            tmp_path / "x", LandmarkPairs(moving=points, fixed=points), format="elastix"
        )
    assert list(tmp_path.iterdir()) == []
