"""``clemkit deposit``: one report with nothing twice, packages, imports, differences."""

from __future__ import annotations

import fcntl
import io
import json
import re
import shutil
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
from PIL import Image

import clemkit.volumes
from clemkit.cli.main import main
from clemkit.deposition.bia.check import check_bia_crate
from clemkit.errors import ArgumentError, IncompleteDepositionError
from clemkit.geometry import Grid, Space
from clemkit.metadata.load import read_document, write_document
from clemkit.volumes import Volume, write_ome_zarr
from clemkit.workflows.deposit import build_deposit, check_deposit
from clemkit.workflows.deposit_thumbnail import make_thumbnail

EXAMPLE = Path(__file__).parents[2] / "examples" / "run" / "experiment.yaml"
SHAPE = (7, 60, 70)
SHIFT = (0.0, 2000.0, 1000.0)  # where the EM begins in the LM


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A small experiment whose two images show the same bright square."""
    folder = tmp_path_factory.mktemp("deposit")
    rng = np.random.default_rng(3)
    em = rng.integers(80, 120, SHAPE).astype(np.uint8)
    em[:, 20:40, 30:50] = 220
    (folder / "raw/em").mkdir(parents=True)
    (folder / "raw/lm").mkdir()
    for number, plane in enumerate(em, 1):
        path = folder / "raw/em" / f"slice_{number:04}.tif"
        tifffile.imwrite(path, plane, resolution=(1e5, 1e5), resolutionunit=3)
    lm = rng.integers(90, 110, (2, 7, 100, 110)).astype(np.uint16)
    lm[0, :, 40:60, 40:60] = 900  # 4000 to 6000 nm: rows 20 to 40, columns 30 to 50 of the EM
    grid = Grid(space=Space("lm"), shape_zyx=(7, 100, 110), voxel_size_zyx_nm=(125.0, 100.0, 100.0))
    volume = Volume(data=lm, grid=grid, modality="lm", channels=("mitochondria", "nuclei"))
    write_ome_zarr(folder / "raw/lm/cell.ome.zarr", volume)
    data = read_document(EXAMPLE).data
    lm_image, em_image = data["images"]
    lm_image["file_set"]["file_pattern"] = "cell.ome.zarr"
    lm_image |= {"file_format": "ome_zarr", "size_z": 7, "size_y": 100, "size_x": 110}
    lm_image["voxel_size_z"] = em_image["voxel_size_z"]
    em_image["size_z"] = em_image["file_set"]["file_count"] = 7
    for acquisition in data["acquisitions"]:
        acquisition["plane_count"] = 7
    data["acquisitions"][0]["z_step"] = em_image["voxel_size_z"]
    data["acquisitions"][1]["slicing"]["slice_count"] = 7
    matrix = np.eye(4)
    matrix[:3, 3] = SHIFT
    data["correlations"][0] |= {
        "transforms": [
            {
                "transform_kind": "translation",
                "transform_direction": "fixed_to_moving",
                "matrix": [float(v) for v in matrix.ravel()],
                "matrix_axes": "zyx",
                "matrix_unit": "nm",
            }
        ]
    }
    del data["correlations"][0]["landmark_file"]
    data["protocols"][0].pop("source_file")
    data["acquisitions"][1].pop("dwell_time")
    write_document(data, folder / "experiment.yaml")
    return folder


@pytest.fixture
def experiment(made, tmp_path) -> Path:
    """A copy that may be spoiled."""
    shutil.copytree(made, tmp_path / "e")
    return tmp_path / "e" / "experiment.yaml"


def spoil(path: Path, change) -> None:
    data = read_document(path).data
    change(data)
    write_document(data, path, overwrite=True)


def test_a_good_experiment_passes(experiment, capsys):
    assert main(["deposit", "check", str(experiment)]) == 0
    assert "nothing found" in capsys.readouterr().out
    assert main(["deposit", "check", str(experiment), "--json", "-q"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["ok"]
    assert content["archives"] == ["empiar"]
    assert content["files"] > 8


def without_title(data):
    del data["study"]["title"]


def without_release(data):
    del data["study"]["release_policy"]


def without_leader(data):
    data["study"]["contributions"][1]["roles"] = ["author"]


def without_mail(data):
    next(a for a in data["agents"] if a["id"] == "ada").pop("email")


def wrong_voxel(data):
    data["images"][1]["voxel_size_x"] = {"value": 10.0, "unit": "nm"}


def wrong_type(data):
    data["images"][1]["data_type"] = "uint16"


def wrong_count(data):
    data["images"][1]["file_set"]["file_count"] = 8


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (without_title, "title"),
        (without_release, "release_policy"),
        (without_leader, "principal_investigator"),
        (without_mail, "email"),
        (wrong_voxel, "along x"),
        (wrong_type, "uint16"),
        (wrong_count, "8 files"),
    ],
    ids=lambda v: getattr(v, "__name__", None),
)
def test_a_fault_is_one_error_in_the_words_of_the_description(experiment, change, word):
    spoil(experiment, change)
    check = check_deposit(experiment)
    assert len(check.errors) == 1, [str(p) for p in check.errors]
    assert word in str(check.errors[0])
    assert len({str(p) for p in check.report.problems}) == len(check.report.problems)
    assert check.report.document.line_of(check.errors[0].location) > 1


def test_a_broken_file_is_one_error_with_its_name(experiment):
    path = experiment.parent / "raw/em/slice_0003.tif"
    path.write_bytes(b"")
    errors = check_deposit(experiment).errors
    assert [p.rule for p in errors] == ["L4-empty"]
    assert path.name in errors[0].message
    path.unlink()
    assert {p.rule for p in check_deposit(experiment).errors} == {"L4-count", "L4-gap"}


def test_what_does_not_fit_the_model_is_said_and_nothing_more(experiment, capsys):
    text = experiment.read_text().replace("modality: em", "modalty: em")
    experiment.write_text(text)
    assert main(["deposit", "check", str(experiment), "-q", "--json"]) == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert any("did you mean" in p["hint"] for p in problems)
    assert not [p for p in problems if p["rule"].startswith("empiar-")]


def test_build_refuses_errors_and_makes_a_draft_when_asked(experiment, capsys):
    spoil(experiment, wrong_voxel)
    package = experiment.parent / "PACKAGE"
    assert main(["deposit", "build", str(experiment), "-o", str(package), "-q"]) == 1
    said = capsys.readouterr().err
    assert said.count("nm and angstrom swapped") == 1
    assert re.match(r"clemkit: \S+experiment\.yaml:\d+: expected ", said)
    assert "clemkit deposit check" in said
    assert not package.exists()
    with pytest.raises(IncompleteDepositionError) as caught:
        build_deposit(experiment, package)
    assert len(caught.value.problems) == 1
    arguments = ["deposit", "build", str(experiment), "-o", str(package), "--draft", "-q"]
    assert main(arguments) == 0
    assert "must not be sent" in (package / "README.md").read_text()


def test_build_twice_then_diff_and_import(experiment, tmp_path, capsys):
    package = tmp_path / "PACKAGE"
    arguments = ["deposit", "build", str(experiment), "--archive", "all", "-o", str(package)]
    assert main([*arguments, "--dry-run"]) == 0
    assert not package.exists()
    assert "em-raw -> data/em-raw" in capsys.readouterr().out
    assert main([*arguments, "--json", "-q"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["thumbnail"] == "lm-raw on a plane of em-raw"
    before = {p: p.stat().st_mtime_ns for p in package.rglob("*")}
    assert main([*arguments, "--workers", "2"]) == 0
    assert "nothing had to be written" in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in package.rglob("*")} == before
    assert main(["deposit", "diff", str(package), str(experiment), "-q"]) == 0
    spoil(experiment, lambda data: data["study"].update(title="Another title of the study"))
    assert main(["deposit", "diff", str(package), str(experiment)]) == 1
    assert "Another title" in capsys.readouterr().out
    back = tmp_path / "back.yaml"
    assert main(["deposit", "import", str(package / "empiar.json"), "-o", str(back)]) == 0
    assert "2 images from empiar deposition" in capsys.readouterr().out
    assert read_document(back).data["study"]["title"].startswith("Mitochondria")
    assert main(["deposit", "import", str(package), "-o", str(back), "-q"]) == 2  # exists
    assert main(["deposit", "diff", str(package), str(back), "-q"]) in (0, 1)
    table = package / "bia/submission.tsv"
    pagetab = tmp_path / "pagetab.yaml"
    assert main(["deposit", "import", str(table), "-o", str(pagetab), "-q"]) == 0
    assert len(read_document(pagetab).data["study_components"]) == 2


def test_file_lists_name_every_file_once(experiment, tmp_path):
    package = tmp_path / "PACKAGE"
    build_deposit(experiment, package, archive="bia", mode="copy")
    listed = []
    for name in ("filelist-em.tsv", "filelist-lm.tsv"):
        rows = (package / "bia" / name).read_text().splitlines()
        assert rows[0].split("\t")[0] == "Files"
        listed += [row.split("\t")[0] for row in rows[1:]]
    data = package / "data"
    there = [p.relative_to(package).as_posix() for p in data.rglob("*") if p.is_file()]
    assert sorted(listed) == sorted(p for p in there if not p.startswith("data/description"))


def test_crates_are_whole_and_their_digests_those_of_the_manifest(experiment, tmp_path):
    for archive in ("empiar", "bia"):
        package = tmp_path / archive
        build_deposit(experiment, package, archive=archive)
        lines = (package / "manifest-sha256.txt").read_text().splitlines()
        digests = {name: digest for digest, name in (line.split("  ") for line in lines)}
        graph = json.loads((package / "ro-crate-metadata.json").read_text())["@graph"]
        if archive == "bia":
            assert check_bia_crate(package) == ()
            rows = (package / "file_list.tsv").read_text().splitlines()
            place = rows[0].split("\t").index("sha256")
            listed = {row.split("\t")[0]: row.split("\t")[place] for row in rows[1:]}
        else:
            listed = {n["@id"]: n["sha256"] for n in graph if n.get("sha256")}
        assert len(listed) >= 7
        assert {name: digests[name] for name in listed} == listed
        back = tmp_path / f"{archive}.yaml"
        crate = str(package / "ro-crate-metadata.json")
        assert main(["deposit", "import", crate, "-o", str(back), "-q"]) == 0
        assert read_document(back).data["study"]["title"].startswith("Mitochondria")


def test_annotations_travel_with_the_images(experiment, tmp_path):
    (experiment.parent / "labels").mkdir()
    (experiment.parent / "labels/cells.csv").write_text("z,y,x\n1,2,3\n")
    annotation = {
        "id": "points",
        "name": "Cells",
        "annotation_kinds": ["point_annotations"],
        "annotated_images": ["em-raw"],
        "annotation_files": {"directory": "labels", "file_pattern": "*.csv"},
    }
    spoil(experiment, lambda data: data.update(annotation_sets=[annotation]))
    package = tmp_path / "PACKAGE"
    build_deposit(experiment, package, draft=True)
    assert (package / "data/points/cells.csv").is_file()
    packed = read_document(package / "data/description/experiment.yaml").data
    assert packed["annotation_sets"][0]["annotation_files"]["directory"] == "../points"
    (experiment.parent / "labels/cells.csv").unlink()
    assert "PK-absent" in {p.rule for p in check_deposit(experiment).errors}


def test_without_a_day_of_release_there_is_no_crate_and_a_word_about_it(experiment, tmp_path):
    spoil(experiment, lambda data: data["study"].pop("release_date"))
    check = check_deposit(experiment)
    assert [p.rule for p in check.warnings] == ["RC-missing"]
    build_deposit(experiment, tmp_path / "PACKAGE")
    assert not (tmp_path / "PACKAGE/ro-crate-metadata.json").exists()
    assert "linked data" not in (tmp_path / "PACKAGE/README.md").read_text()


def test_a_changed_slice_stops_the_next_build(experiment, tmp_path, capsys):
    package = tmp_path / "PACKAGE"
    build_deposit(experiment, package)
    path = experiment.parent / "raw/em/slice_0005.tif"
    plane = tifffile.imread(path)
    tifffile.imwrite(path, plane + 1, resolution=(1e5, 1e5), resolutionunit=3)
    arguments = ["deposit", "build", str(experiment), "-o", str(package), "-q"]
    assert main(arguments) == 1
    assert "data/em-raw/slice_0005.tif" in capsys.readouterr().err
    assert main([*arguments, "--overwrite"]) == 0
    assert main([*arguments, "--link", "--copy"]) == 2
    assert main(["deposit", "build", str(experiment), "-o", str(package), "--archive", "x"]) == 2


def test_the_thumbnail_follows_the_transform(experiment):
    data = read_document(experiment).data
    png, shown = make_thumbnail(data, experiment.parent)
    assert shown == "lm-raw on a plane of em-raw"
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    assert min(picture.shape[:2]) >= 400
    magenta = picture[..., 0] - picture[..., 1]
    rows, columns = np.nonzero(magenta > 60)
    inside = rows > 100  # the label is magenta too
    centre = (rows[inside].mean() / picture.shape[0], columns[inside].mean() / picture.shape[1])
    assert centre == pytest.approx((30 / 60, 40 / 70), abs=0.03)


@pytest.mark.parametrize("axes", ["zyx", "xyz"])
@pytest.mark.parametrize("forward", [True, False])
def test_axes_units_and_direction_of_the_transform_change_no_pixel(experiment, axes, forward):
    data = read_document(experiment).data
    expected = make_thumbnail(data, experiment.parent)
    transform = data["correlations"][0]["transforms"][0]
    sign = 1 if forward else -1
    matrix = np.eye(4)
    matrix[:3, 3] = np.array(SHIFT[:: -1 if axes == "xyz" else 1]) * sign / 1000
    transform |= {
        "matrix": [float(v) for v in matrix.ravel()],
        "matrix_axes": axes,
        "matrix_unit": "um",
        "transform_direction": "fixed_to_moving" if forward else "moving_to_fixed",
    }
    assert make_thumbnail(data, experiment.parent) == expected


def test_only_the_level_and_planes_that_a_picture_needs_are_read(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    data = rng.integers(0, 255, (3, 2200, 2310)).astype(np.uint8)
    grid = Grid(space=Space("em"), shape_zyx=data.shape, voxel_size_zyx_nm=(50.0, 8.0, 8.0))
    write_ome_zarr(tmp_path / "v.ome.zarr", Volume(data=data, grid=grid, modality="em"))
    for number, plane in enumerate(data):
        tifffile.imwrite(tmp_path / f"p{number}.tif", plane)
    chosen, boxes = [], []
    real_open, real_read = clemkit.volumes.open_volume, Volume.read

    def opened(*words, **more):
        chosen.append(more["level"])
        return real_open(*words, **more)

    def read(volume, box=None, channel=0):
        boxes.append(box)
        return real_read(volume, box, channel)

    monkeypatch.setattr(clemkit.volumes, "open_volume", opened)
    monkeypatch.setattr(Volume, "read", read)
    sizes = {
        f"voxel_size_{a}": {"value": v, "unit": "nm"}
        for a, v in zip("zyx", (50, 8, 8), strict=True)
    }
    for pattern, level in (("v.ome.zarr", 1), ("p*.tif", 0)):
        image = {"id": "em", "modality": "em", "file_set": {"file_pattern": pattern}, **sizes}
        png, shown = make_thumbnail({"images": [image]}, tmp_path)
        assert png is not None, shown
        assert chosen.pop() == level
        assert {box.shape[0] for box in boxes} == {1}
        rows = max(box.shape[1] for box in boxes)
        assert rows == (1100 if level else 128)  # a thin band of a plane without a pyramid
        boxes.clear()
        picture = np.asarray(Image.open(io.BytesIO(png)))
        assert picture.shape[1] / picture.shape[0] == pytest.approx(2310 / 2200, rel=0.01)


def test_two_builds_do_not_share_a_package(experiment, tmp_path):
    package = tmp_path / "PACKAGE"
    build_deposit(experiment, package)
    with (package / ".clemkit-package/lock").open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(ArgumentError, match="one at work"):
            build_deposit(experiment, package)


def test_without_a_registration_the_em_stands_alone(experiment):
    data = read_document(experiment).data
    del data["correlations"][0]["transforms"]
    png, shown = make_thumbnail(data, experiment.parent)
    assert shown.startswith("a plane of em-raw; nothing over it: ")
    assert "expected a transform" in shown
    del data["correlations"]
    assert make_thumbnail(data, experiment.parent) == (png, "a plane of em-raw")
    for path in (experiment.parent / "raw").iterdir():
        shutil.rmtree(path)
    png, reason = make_thumbnail(data, experiment.parent)
    assert png is None
    assert "found none" in reason


def test_a_colour_picture_lies_over_the_em_and_opens_as_the_readme_says(tmp_path):
    colours = np.zeros((44, 60, 3), np.uint8)
    colours[10:20, 15:40, 0] = 240
    Image.fromarray(colours).save(tmp_path / "lm.png")
    (tmp_path / "em").mkdir()
    board = (np.indices((200, 300)).sum(axis=0) // 5 % 2 * 200).astype(np.uint8)
    for number in range(3):
        tifffile.imwrite(tmp_path / "em" / f"s{number}.tif", board + number)
    sizes = {
        f"voxel_size_{a}": {"value": v, "unit": "nm"}
        for a, v in zip("zyx", (100, 20, 20), strict=True)
    }
    lm = {
        "voxel_size_y": {"value": 200, "unit": "nm"},
        "voxel_size_x": {"value": 200, "unit": "nm"},
    }
    shift = [1, 0, 0, 0, 0, 1, 0, -500, 0, 0, 1, -700, 0, 0, 0, 1]
    transform = {"transform_direction": "moving_to_fixed", "matrix": shift, "matrix_axes": "zyx"}
    data = {
        "images": [
            {"id": "lm", "modality": "lm", "file_set": {"file_pattern": "lm.png"}, **lm},
            {"id": "em", "file_set": {"directory": "em", "file_pattern": "*.tif"}, **sizes},
        ],
        "correlations": [{"fixed_image": "em", "moving_image": "lm", "transforms": [transform]}],
    }
    png, shown = make_thumbnail(data, tmp_path)
    assert shown == "lm on a plane of em"
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    rows, columns = np.nonzero(picture[..., 0] - picture[..., 1] > 100)
    scale = picture.shape[1] / 6000  # pixels for each nm
    assert rows.min() == pytest.approx(1400 * scale, abs=6)
    assert rows.max() == pytest.approx(3400 * scale, abs=6)
    assert columns.min() == pytest.approx(2200 * scale, abs=6)


def test_several_volumes_make_a_picture_of_the_first(tmp_path):
    source = np.arange(7 * 11 * 13, dtype=np.int16).reshape(7, 11, 13)
    for number in (1, 2):
        with mrcfile.new(tmp_path / f"t{number}.mrc") as file:
            file.set_data(source)
            file.voxel_size = 16
    tilts = {"id": "ts", "image_kind": "tilt_series", "file_set": {"file_pattern": "t1.mrc"}}
    volumes = {"id": "tomo", "image_kind": "reconstruction", "file_set": {"file_pattern": "t*.mrc"}}
    png, shown = make_thumbnail({"images": [tilts, volumes]}, tmp_path)
    assert png is not None
    assert shown == "a plane of tomo"


def test_a_package_among_the_images_is_refused_before_the_next_build_takes_it(experiment, capsys):
    data = read_document(experiment).data
    file_set = next(i for i in data["images"] if i["id"] == "em-raw")["file_set"]
    inside = experiment.parent / file_set["directory"] / "PACKAGE"
    assert main(["deposit", "build", str(experiment), "-o", str(inside), "-q"]) == 0
    shutil.rmtree(inside)

    def any_file(data):
        next(i for i in data["images"] if i["id"] == "em-raw")["file_set"]["file_pattern"] = "*"

    spoil(experiment, any_file)
    assert main(["deposit", "build", str(experiment), "-o", str(inside), "-q"]) == 2
    assert "among the files * of image em-raw" in capsys.readouterr().err
    assert not inside.exists()


def test_what_is_no_deposition_is_refused(tmp_path, capsys):
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    assert main(["deposit", "import", str(broken), "-o", str(tmp_path / "x.yaml")]) == 3
    assert main(["deposit", "diff", str(tmp_path), str(broken)]) == 2
    assert "expected a package" in capsys.readouterr().err
    for other in ('{"name": "settings", "value": 3}', "[1, 2]"):
        broken.write_text(other)
        assert main(["deposit", "import", str(broken), "-o", str(tmp_path / "x.yaml")]) == 3
        assert "an entry of EMPIAR's API" in capsys.readouterr().err
    assert not (tmp_path / "x.yaml").exists()
