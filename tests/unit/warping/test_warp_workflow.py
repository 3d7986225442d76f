from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clemkit.errors import (
    ArgumentError,
    ClemkitWarning,
    FormatError,
    NotFoundError,
    OutsideDomainError,
    UnitError,
)
from clemkit.geometry import Grid, Space
from clemkit.provenance import Step
from clemkit.transforms import Affine, BSpline, compose, numerical_inverse
from clemkit.transforms.io import write_registration_transforms
from clemkit.volumes import Volume, open_volume, write_ome_zarr
from clemkit.warping import warp_array
from clemkit.workflows.warp import warp_geometry, warp_points, warp_volume_file

EM, LM = Space("em"), Space("lm")
FIXED = Grid(
    space=EM, shape_zyx=(9, 21, 19), voxel_size_zyx_nm=(50, 8, 10), origin_zyx_nm=(-20, 15, 33)
)
MOVING = Grid(
    space=LM, shape_zyx=(11, 19, 17), voxel_size_zyx_nm=(60, 12, 15), origin_zyx_nm=(-50, 0, 20)
)


def forward():
    rng = np.random.default_rng(5)
    corners = FIXED.corners()
    spline = BSpline.covering(corners[0], corners[-1], [200, 90, 95], source=EM, target=EM)
    values = rng.normal(0, [12, 3, 3], spline.coefficients_zyx_nm.shape)
    linear = [[1.05, 0.05, 0], [0.02, 0.98, 0.05], [0, -0.04, 1.03]]
    affine = Affine.from_parts(linear, [10, -5, 12], source=EM, target=LM)
    return compose(replace(spline, coefficients_zyx_nm=values), affine)


def described(grid: Grid) -> dict:
    return {
        "space": grid.space.name,
        "shape_zyx": list(grid.shape_zyx),
        "voxel_size_zyx_nm": list(grid.voxel_size_zyx_nm),
        "origin_zyx_nm": list(grid.origin_zyx_nm),
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("registration") / "OUT"
    folder.mkdir()
    t = forward()
    write_registration_transforms(
        folder / "transforms",
        fixed_to_moving=t,
        moving_to_fixed=numerical_inverse(t, domain=FIXED),
        fixed_grid=FIXED,
        moving_grid=MOVING,
    )
    content = {
        "status": "ok",
        "warnings": [],
        "fixed_grid": described(FIXED),
        "moving_grid": described(MOVING),
    }
    (folder / "registration.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def registration(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "OUT"))


def change(registration: Path, **values) -> None:
    path = registration / "registration.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def points_of(rows) -> np.ndarray:
    return np.array([[float(r[c]) for c in ("z_nm", "y_nm", "x_nm")] for r in rows])


# tables of points


def test_points_go_there_and_back(registration, tmp_path, rng):
    points = FIXED.to_physical(rng.uniform(0, 1, (40, 3)) * (np.array(FIXED.shape_zyx) - 1))
    lines = [f"{i},{z!r},{y!r},{x!r}" for i, (z, y, x) in enumerate(points.tolist())]
    source = tmp_path / "p.csv"
    source.write_text("\n".join(["id,z_nm,y_nm,x_nm", *lines]))
    there, back = tmp_path / "q.csv", tmp_path / "r.csv"
    result = warp_points(registration, source, there, direction="fixed-to-moving")
    assert result["points"] == 40
    assert result["outside_domain"] == 0
    assert result["inverse_error_nm"] is None
    found = points_of(table(there))
    assert np.abs(found - forward().apply_points(points)).max() < 1e-9
    result = warp_points(registration, there, back, direction="moving-to-fixed")
    assert 0 <= result["inverse_error_nm"] <= 0.01
    rows = table(back)
    assert np.abs(points_of(rows) - points).max() < 0.02
    assert {r["outside_domain"] for r in rows} == {"false"}
    assert list(rows[0]) == ["id", "z_nm", "y_nm", "x_nm", "outside_domain"]


def test_other_columns_and_row_order_stay(registration, tmp_path):
    source, output = tmp_path / "p.csv", tmp_path / "q.csv"
    source.write_text(
        'name,x_nm,note,y_nm,z_nm\n"b, ""c""",100,007,80,50\na,120,  1e3 ,90,90\n'
        "\nZ,1,é,2,99999999\n",
        encoding="utf-8-sig",
    )
    result = warp_points(registration, source, output, direction="fixed-to-moving")
    rows = table(output)
    assert [r["name"] for r in rows] == ['b, "c"', "a", "Z"]
    assert [r["note"] for r in rows] == ["007", "  1e3 ", "é"]
    assert [r["outside_domain"] for r in rows] == ["false", "false", "true"]
    assert result["outside_domain"] == 1
    wanted = forward().apply_points([[50, 80, 100], [90, 90, 120], [99999999, 2, 1]])
    assert np.allclose(points_of(rows), wanted, rtol=0, atol=1e-6)


def test_points_outside_the_inverse_are_flagged_not_dropped(registration, tmp_path):
    source, output = tmp_path / "p.csv", tmp_path / "q.csv"
    inside = forward().apply_points(FIXED.centre_zyx_nm[None])[0]
    beyond = forward().apply_points(FIXED.corners()[-1:] + np.array([90, 10, 10]))[0]
    assert MOVING.contains(beyond[None])[0]
    rows = [inside, beyond, [np.nan, 0, 0]]
    source.write_text(
        "z_nm,y_nm,x_nm\n" + "\n".join(",".join(str(float(v)) for v in row) for row in rows)
    )
    result = warp_points(registration, source, output, direction="moving-to-fixed")
    assert [r["outside_domain"] for r in table(output)] == ["false", "true", "true"]
    assert (result["points"], result["outside_domain"]) == (3, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("z_nm,y_nm\n1,2\n", "x_nm missing"),
        ("z,y,x\n1,2,3\n", "z_nm, y_nm, x_nm missing"),
        ("", "empty file"),
        ("z_nm,y_nm,x_nm,x_nm\n1,2,3,4\n", "repeated"),
        ("z_nm,y_nm,x_nm\n1,2,3\n1,two,3\n", "line 3: expected numbers"),
        ("z_nm,y_nm,x_nm\n1,2\n", "line 2: expected 3 cells; found 2"),
    ],
)
def test_a_bad_table_is_one_clear_line(text, words, registration, tmp_path):
    source, output = tmp_path / "p.csv", tmp_path / "q.csv"
    source.write_text(text)
    with pytest.raises(FormatError, match=words) as caught:
        warp_points(registration, source, output, direction="fixed-to-moving")
    assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["OUT", "p.csv"]


def test_a_binary_table_is_refused(registration, tmp_path):
    (tmp_path / "p.csv").write_bytes(b"z_nm,y_nm,x_nm\n\xff\xfe\x00,1,2\n")
    with pytest.raises(FormatError, match="UTF-8"):
        warp_points(registration, tmp_path / "p.csv", tmp_path / "q", direction="fixed-to-moving")


def test_an_empty_table_stays_empty(registration, tmp_path):
    (tmp_path / "p.csv").write_text("z_nm,y_nm,x_nm\n")
    result = warp_points(
        registration, tmp_path / "p.csv", tmp_path / "q.csv", direction="fixed-to-moving"
    )
    assert result["points"] == 0
    assert (tmp_path / "q.csv").read_text() == "z_nm,y_nm,x_nm,outside_domain\n"


def test_dry_run_writes_nothing(registration, tmp_path):
    (tmp_path / "p.csv").write_text("z_nm,y_nm,x_nm\n50,80,100\n")
    result = warp_points(
        registration, tmp_path / "p.csv", tmp_path / "q.csv", direction="fixed-to-moving",
        dry_run=True,
    )  # fmt: skip
    assert result["points"] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["OUT", "p.csv"]


def test_outputs_are_kept_and_recorded(registration, tmp_path):
    source, output = tmp_path / "p.csv", tmp_path / "q.csv"
    source.write_text("z_nm,y_nm,x_nm\n50,80,100\n")
    warp_points(registration, source, output, direction="fixed-to-moving")
    step = Step.from_dict(json.loads((tmp_path / "q.csv.provenance.json").read_text()))
    assert step.activity == "warping"
    assert step.parameters["direction"] == "fixed-to-moving"
    assert [Path(d.path).name for d in step.inputs] == [
        "p.csv",
        "registration.json",
        "transforms",
    ]
    before = output.read_bytes()
    with pytest.raises(ArgumentError, match="overwrit"):
        warp_points(registration, source, output, direction="moving-to-fixed")
    assert output.read_bytes() == before
    with pytest.raises(ArgumentError, match="direction"):
        warp_points(registration, source, tmp_path / "r.csv", direction="lm-to-em")


# registrations


def test_a_failed_registration_is_refused(registration, tmp_path):
    change(registration, status="failed", warnings=["no overlap"])
    with pytest.raises(ArgumentError, match="no overlap"):
        warp_points(registration, "p.csv", tmp_path / "q.csv", direction="fixed-to-moving")


def test_an_uncertain_registration_warns(registration, tmp_path):
    change(registration, status="uncertain", warnings=["few structures"])
    (tmp_path / "p.csv").write_text("z_nm,y_nm,x_nm\n50,80,100\n")
    with pytest.warns(ClemkitWarning, match="few structures"):
        result = warp_points(
            registration, tmp_path / "p.csv", tmp_path / "q.csv", direction="fixed-to-moving"
        )
    assert result["status"] == "uncertain"


def test_what_is_no_registration_is_not_found(tmp_path):
    with pytest.raises(NotFoundError, match=r"registration\.json"):
        warp_points(tmp_path, "p.csv", tmp_path / "q.csv", direction="fixed-to-moving")


@pytest.mark.parametrize("text", ["{", "[]", '{"status": "great"}'])
def test_a_damaged_record_is_refused(text, registration, tmp_path):
    (registration / "registration.json").write_text(text)
    with pytest.raises(FormatError):
        warp_points(registration, "p.csv", tmp_path / "q.csv", direction="fixed-to-moving")


# volumes


@pytest.fixture
def moving_file(tmp_path, rng) -> tuple[Path, np.ndarray]:
    data = rng.integers(0, 255, MOVING.shape_zyx, dtype=np.uint8)
    path = tmp_path / "moving.ome.zarr"
    write_ome_zarr(path, Volume(data=data, grid=MOVING, modality="lm"))
    return path, data


def test_a_moving_volume_lands_on_the_fixed_grid(registration, moving_file, tmp_path):
    path, data = moving_file
    output = tmp_path / "w.ome.zarr"
    result = warp_volume_file(registration, path, output)
    wanted = warp_array(data, MOVING, FIXED, forward())
    found = open_volume(output, space=EM)
    assert np.count_nonzero(wanted) > 1000
    assert np.array_equal(found.read(), wanted)
    assert np.allclose(found.grid.origin_zyx_nm, FIXED.origin_zyx_nm)
    assert result["report"]["map_error_voxels"] <= 0.05
    assert result["interpolation"] == "linear"
    step = json.loads((tmp_path / "w.ome.zarr.provenance.json").read_text())
    assert step["outputs"][0]["path"] == str(output)
    assert step["parameters"]["map_error_voxels"] == result["report"]["map_error_voxels"]
    json.dumps(result)


def test_a_fixed_volume_goes_into_the_moving_frame(registration, tmp_path, rng):
    # a smooth volume, so that two interpolations change little
    z, y, x = np.indices(FIXED.shape_zyx)
    data = np.round(100 + 20 * np.sin(z / 3) + 3 * y + 2 * x).astype(np.uint16)
    path = tmp_path / "fixed.ome.zarr"
    write_ome_zarr(path, Volume(data=data, grid=FIXED, modality="em"))
    result = warp_volume_file(
        registration, path, tmp_path / "m.ome.zarr", direction="fixed-to-moving"
    )
    assert 0 <= result["inverse_error_nm"] <= 0.01
    found = open_volume(tmp_path / "m.ome.zarr", space=LM)
    assert found.grid.shape_zyx == MOVING.shape_zyx
    again = warp_array(found.read(), MOVING, FIXED, forward())
    inner = (slice(2, -2), slice(4, -4), slice(4, -4))
    assert np.abs(again.astype(int) - data)[inner].max() < 8


def test_like_gives_another_grid(registration, moving_file, tmp_path):
    path, data = moving_file
    other = Grid(
        space=EM, shape_zyx=(5, 8, 7), voxel_size_zyx_nm=(70, 17, 19), origin_zyx_nm=(3, 31, 40)
    )
    like = tmp_path / "like.ome.zarr"
    write_ome_zarr(
        like, Volume(data=np.zeros(other.shape_zyx, np.uint8), grid=other, modality="em")
    )
    warp_volume_file(registration, path, tmp_path / "w.ome.zarr", like=like)
    wanted = warp_array(data, MOVING, other, forward())
    assert np.array_equal(open_volume(tmp_path / "w.ome.zarr").read(), wanted)


def test_labels_keep_their_numbers(registration, tmp_path, rng):
    data = rng.choice(np.array([0, 3, 70_000], dtype=np.uint32), MOVING.shape_zyx)
    path = tmp_path / "labels.ome.zarr"
    write_ome_zarr(path, Volume(data=data, grid=MOVING, modality="lm", role="labels"))
    result = warp_volume_file(registration, path, tmp_path / "w.ome.zarr", labels=True)
    found = open_volume(tmp_path / "w.ome.zarr", role="labels").read()
    assert set(np.unique(found)) == {0, 3, 70_000}
    assert found.dtype == np.uint32
    assert result["interpolation"] == "nearest"


def test_the_registered_voxel_size_wins_for_the_registered_volume(
    registration, moving_file, tmp_path, rng
):
    _, data = moving_file
    wrong = replace(MOVING, voxel_size_zyx_nm=(1.0, 1.0, 1.0))
    path = tmp_path / "wrong.ome.zarr"
    write_ome_zarr(path, Volume(data=data, grid=wrong, modality="lm"))
    with pytest.warns(ClemkitWarning, match="the registration used"):
        warp_volume_file(registration, path, tmp_path / "w.ome.zarr")
    wanted = warp_array(data, MOVING, FIXED, forward())
    assert np.array_equal(open_volume(tmp_path / "w.ome.zarr").read(), wanted)


def test_a_dry_run_prints_the_plan(registration, moving_file, tmp_path):
    before = sorted(p.name for p in tmp_path.iterdir())
    result = warp_volume_file(registration, moving_file[0], tmp_path / "w.ome.zarr", dry_run=True)
    assert set(result["plan"]) == {"output", "input", "blocks", "reads", "map", "memory"}
    assert "report" not in result
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_without_a_grid_the_output_needs_one(registration, moving_file, tmp_path):
    change(registration, fixed_grid=None)
    with pytest.raises(ArgumentError, match="--like"):
        warp_volume_file(registration, moving_file[0], tmp_path / "w.ome.zarr")


def test_a_volume_output_is_an_ome_zarr(registration, moving_file, tmp_path):
    with pytest.raises(ArgumentError, match=r"\.ome\.zarr"):
        warp_volume_file(registration, moving_file[0], tmp_path / "w.tif")


# meshes and skeletons


def obj(points_xyz) -> str:
    return "".join(f"v {x!r} {y!r} {z!r}\n" for x, y, z in points_xyz) + "f 1 2 3\n"


@pytest.mark.parametrize("suffix", [".obj", ".swc"])
def test_meshes_and_skeletons_go_both_ways(suffix, registration, tmp_path):
    points = FIXED.to_physical([[2, 3, 4], [5, 9, 11], [7, 15, 6]])
    xyz = (points[:, ::-1] / 1000).tolist()
    if suffix == ".obj":
        text = "# kept\n" + obj(xyz)
    else:
        text = "# kept\n" + "".join(
            f"{i} 3 {x!r} {y!r} {z!r} 0.5 {i - 1 or -1}\n" for i, (x, y, z) in enumerate(xyz, 1)
        )
    source = tmp_path / f"s{suffix}"
    source.write_text(text)
    there, back = tmp_path / f"t{suffix}", tmp_path / f"b{suffix}"
    result = warp_geometry(registration, source, there, direction="fixed-to-moving", units="um")
    assert (result["points"], result["outside_domain"], result["mirrored"]) == (3, 0, False)
    # by the suffix of a table, too
    warp_points(registration, there, back, direction="moving-to-fixed", units="um")
    place = 1 if suffix == ".obj" else 2

    def coordinates(path):
        lines = [line for line in path.read_text().splitlines() if line[0] in "v123"]
        return np.array([[float(v) for v in line.split()[place : place + 3]] for line in lines])

    moved = forward().apply_points(points)[:, ::-1] / 1000
    assert np.allclose(coordinates(there), moved, atol=1e-9)
    assert np.abs(coordinates(back) - xyz).max() < 1e-4
    assert there.read_text().startswith("# kept\n")
    assert (tmp_path / f"t{suffix}.provenance.json").is_file()


def test_a_mesh_needs_its_unit(registration, tmp_path):
    (tmp_path / "s.obj").write_text(obj([(100, 80, 50)] * 3))
    with pytest.raises(UnitError):
        warp_points(
            registration, tmp_path / "s.obj", tmp_path / "t.obj", direction="fixed-to-moving"
        )


def test_vertices_without_an_answer_are_an_error(registration, tmp_path, monkeypatch):
    def nowhere(transform, points):
        return np.full(points.shape, np.nan), np.zeros(len(points), dtype=bool)

    monkeypatch.setattr("clemkit.transforms.io.checked_points.map_checked", nowhere)
    (tmp_path / "s.obj").write_text(obj([(100, 80, 50)] * 3))
    with pytest.raises(OutsideDomainError, match="3 of 3"):
        warp_geometry(
            registration, tmp_path / "s.obj", tmp_path / "t.obj", direction="moving-to-fixed",
            units="nm",
        )  # fmt: skip
    assert not (tmp_path / "t.obj").exists()
