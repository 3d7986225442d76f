"""A description's registrations joined: files written, resumed, refused, composed, and used."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from clemkit.cli.main import main
from clemkit.errors import ArgumentError, NotFoundError
from clemkit.geometry import Grid, Space
from clemkit.landmarks import LandmarkPairs, LandmarkSet
from clemkit.landmarks.io import write_bigwarp_csv, write_named_points
from clemkit.transforms import Affine, BSpline, compose
from clemkit.transforms.io import read_transform
from clemkit.transforms.io.exact_json import write_exact_json
from clemkit.volumes import Volume, write_ome_tiff
from clemkit.workflows import register_graph as module
from clemkit.workflows.open_registration import open_registration
from clemkit.workflows.register_graph import open_graph, register_graph
from clemkit.workflows.trimming import predict_target
from clemkit.workflows.warp import warp_points

LM, CT, EM = Space("lm"), Space("ct"), Space("em")
CT_GRID = Grid(space=CT, shape_zyx=(30, 34, 40), voxel_size_zyx_nm=(900.0, 800.0, 700.0))
EM_GRID = Grid(space=EM, shape_zyx=(12, 13, 17), voxel_size_zyx_nm=(500.0, 400.0, 300.0))
HEAD = """\
id: chain
name: Chain
model_version: 0.1.0
images:
  - {id: lm, name: LM, image_kind: raw, modality: lm}
  - {id: ct, name: CT, image_kind: raw, modality: xray_ct,
     file_set: {directory: f, file_pattern: ct.ome.tif}}
  - {id: em, name: EM, image_kind: raw, modality: em,
     file_set: {directory: f, file_pattern: em.ome.tif}}
correlations:
"""
LANDMARKS = "  - {id: lm-to-ct, fixed_image: ct, moving_image: lm, landmark_file: f/pairs.csv}\n"


def turned(degrees: float, scale: float, shift, source: Space, target: Space) -> Affine:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    linear = scale * np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return Affine.from_parts(linear, shift, source=source, target=target)


CT_TO_LM = turned(20, 1.06, [4000.0, 6000.0, 2500.0], CT, LM)
EM_TO_CT = turned(-8, 1.02, [9000.0, 11_000.0, 12_000.0], EM, CT)


def given(name: str, fixed: str, moving: str, to_moving: Affine, median: float) -> str:
    values = ", ".join(repr(float(v)) for v in to_moving.matrix.ravel())
    return (
        f"  - id: {name}\n    fixed_image: {fixed}\n    moving_image: {moving}\n"
        "    transforms: [{transform_kind: affine, transform_direction: fixed_to_moving, "
        f"matrix: [{values}], matrix_axes: zyx, matrix_unit: nm}}]\n"
        f"    correlation_errors: [{{error_kind: held_out, error_median: {median} nm, "
        f"error_interval_low: {0.75 * median} nm, error_interval_high: {1.25 * median} nm}}]\n"
    )


CT_EM = given("ct-to-em", "em", "ct", EM_TO_CT, 200)
EM_LM = given("lm-to-em", "em", "lm", compose(EM_TO_CT, CT_TO_LM), 200)


@pytest.fixture
def folder(tmp_path, rng) -> Path:
    """Files of a block whose face leans, and landmarks picked with an error of 0.2 µm."""
    (tmp_path / "f").mkdir()
    points = CT_GRID.points()
    z, y, x = (points[:, k].reshape(CT_GRID.shape_zyx) for k in range(3))
    block = np.where(z < 5000 + 0.1 * y - 0.05 * x, 20, 120) + rng.normal(0, 4, z.shape)
    ct = Volume(data=block.astype(np.float32), grid=CT_GRID, modality="xray_ct")
    write_ome_tiff(tmp_path / "f" / "ct.ome.tif", ct)
    em = Volume(data=np.zeros(EM_GRID.shape_zyx, np.uint8), grid=EM_GRID, modality="em")
    write_ome_tiff(tmp_path / "f" / "em.ome.tif", em)
    write_pairs(tmp_path / "f" / "pairs.csv", rng, 20)
    return tmp_path


def write_pairs(path: Path, rng, count: int) -> None:
    picked = rng.uniform(0, 1, (count, 3)) * CT_GRID.extent_zyx_nm
    names = tuple(str(n) for n in range(count))
    seen = CT_TO_LM.apply_points(picked) + rng.normal(0, 200, picked.shape)
    pairs = LandmarkPairs(
        moving=LandmarkSet(space=LM, ids=names, points_zyx_nm=seen),
        fixed=LandmarkSet(space=CT, ids=names, points_zyx_nm=picked),
    )
    write_bigwarp_csv(path, pairs, unit="um", overwrite=True)


def describe(folder: Path, *correlations: str) -> Path:
    path = folder / "experiment.yaml"
    path.write_text(HEAD + "".join(correlations), "utf-8")
    units = "correlations:\n  lm-to-ct: {landmark_unit: um}\n"
    (folder / "run.yaml").write_text(units if LANDMARKS in correlations else "{}\n", "utf-8")
    return path


def states(found) -> dict[str, str]:
    return {edge["name"]: edge["state"] for edge in found["edges"]}


def test_a_chain_is_joined_and_its_loop_closes(folder):
    found = register_graph(describe(folder, LANDMARKS, CT_EM, EM_LM), folder / "G")
    assert found["status"] == "ok"
    assert states(found) == {"lm-to-ct": "done", "ct-to-em": "given", "lm-to-em": "given"}
    (loop,) = found["loop_closures"]
    assert set(loop["edges"]) == {"lm-to-ct", "ct-to-em", "lm-to-em"}
    assert loop["samples"] > 20
    assert loop["median_nm"] < 400
    assert not loop["is_open"]
    assert found["findings"] == found["unreachable"] == []
    ways = {(p["fixed"], p["moving"]): p["edges"] for p in found["pairs"]}
    assert len(ways) == 3
    text = (folder / "G" / "graph.json").read_text("utf-8")
    assert json.loads(text) == {k: v for k, v in found.items() if k != "output"}
    page = (folder / "G" / "graph.html").read_text("utf-8")
    assert "closes" in page
    assert "http" not in page
    assert json.loads((folder / "G" / "provenance.json").read_text())["activity"] == "composition"


def test_a_composed_way_is_a_registration_for_every_command(folder):
    lm = Volume(data=np.zeros((9, 11, 13), np.uint8), modality="lm", grid=Grid(
        space=LM, shape_zyx=(9, 11, 13), voxel_size_zyx_nm=(4000.0, 4000.0, 4500.0)))  # fmt: skip
    write_ome_tiff(folder / "f" / "lm.ome.tif", lm)
    with_lm = given("lm-to-ct", "ct", "lm", CT_TO_LM, 300)
    files = "modality: lm, file_set: {directory: f, file_pattern: lm.ome.tif}}"
    text = describe(folder, CT_EM, with_lm).read_text().replace("modality: lm}", files)
    (folder / "experiment.yaml").write_text(text)
    found = register_graph(folder / "experiment.yaml", folder / "G")
    assert found["findings"] == []
    (pair,) = (p for p in found["pairs"] if len(p["edges"]) == 2)
    assert pair["error_nm"]["median"] == pytest.approx(np.hypot(1.06 * 200, 300), rel=1e-6)
    composed = folder / "G" / pair["folder"]
    registered = open_registration(composed)
    there = compose(EM_TO_CT, CT_TO_LM).apply_points(EM_GRID.points())
    mapped = registered.map_points("fixed-to-moving").apply_points(EM_GRID.points())
    assert np.allclose(mapped, there, atol=1e-3)
    back = read_transform(composed / "moving_to_fixed.exact.json")
    assert np.allclose(back.apply_points(there), EM_GRID.points(), atol=1e-3)
    (folder / "p.csv").write_text("name,z_nm,y_nm,x_nm\na,1000,2000,3000\n")
    warp_points(composed, folder / "p.csv", folder / "q.csv", direction="fixed-to-moving")
    row = (folder / "q.csv").read_text().splitlines()[1].split(",")
    wanted = compose(EM_TO_CT, CT_TO_LM).apply_points([[1000.0, 2000.0, 3000.0]])[0]
    assert np.allclose([float(v) for v in row[1:4]], wanted, atol=1e-3)


def test_it_resumes_where_it_was(folder, monkeypatch, rng):
    description = describe(folder, LANDMARKS, CT_EM)
    assert states(register_graph(description, folder / "G", dry_run=True)) == {
        "lm-to-ct": "planned", "ct-to-em": "given",
    }  # fmt: skip
    assert not (folder / "G").exists()
    register_graph(description, folder / "G")
    before = (folder / "G/registration/lm-to-ct/registration.json").stat().st_mtime_ns
    monkeypatch.setattr(module, "_register_landmarks", lambda *_: pytest.fail("done twice"))
    found = register_graph(description, folder / "G")
    assert states(found)["lm-to-ct"] == "kept"
    assert states(register_graph(description, folder / "G", dry_run=True))["lm-to-ct"] == "kept"
    assert (folder / "G/registration/lm-to-ct/registration.json").stat().st_mtime_ns == before
    monkeypatch.undo()
    write_pairs(folder / "f" / "pairs.csv", rng, 15)  # other landmarks: another registration
    assert states(register_graph(description, folder / "G"))["lm-to-ct"] == "done"
    again = register_graph(description, folder / "G", overwrite=True)
    assert states(again)["lm-to-ct"] == "done"


def test_an_interruption_keeps_what_is_done(folder, monkeypatch):
    second = LANDMARKS.replace("id: lm-to-ct", "id: lm-to-ct-2")
    description = describe(folder, LANDMARKS, second)
    (folder / "run.yaml").write_text(
        "correlations:\n  lm-to-ct: {landmark_unit: um}\n  lm-to-ct-2: {landmark_unit: um}\n"
    )
    real = module._register_landmarks

    def stopped(step, work):
        if step.subject == "lm-to-ct-2":
            raise KeyboardInterrupt
        return real(step, work)

    monkeypatch.setattr(module, "_register_landmarks", stopped)
    with pytest.raises(KeyboardInterrupt):
        register_graph(description, folder / "G")
    monkeypatch.undo()
    assert states(register_graph(description, folder / "G")) == {
        "lm-to-ct": "kept", "lm-to-ct-2": "done",
    }  # fmt: skip


def test_a_refused_registration_hides_nothing(folder, rng, monkeypatch, capsys):
    write_pairs(folder / "f" / "pairs.csv", rng, 2)
    description = describe(folder, LANDMARKS, CT_EM)
    status = main(
        ["register", "--graph", str(description), "-o", str(folder / "G"), "-q", "--json"]
    )
    assert status == 1
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == "incomplete"
    assert states(found) == {"lm-to-ct": "refused", "ct-to-em": "given"}
    assert [p["edges"] for p in found["pairs"]] == [["ct-to-em"]]
    assert {tuple(u["images"]): u["because"] for u in found["unreachable"]} == {
        ("ct", "lm"): ["lm-to-ct"], ("em", "lm"): ["lm-to-ct"],
    }  # fmt: skip
    assert any(text.startswith("lm-to-ct: ") for text in found["findings"])
    assert "are not joined" in (folder / "G" / "graph.html").read_text()
    monkeypatch.setattr(module, "_register_landmarks", lambda *_: pytest.fail("tried again"))
    again = register_graph(description, folder / "G")
    assert states(again)["lm-to-ct"] == "refused"
    assert again["edges"][0]["reason"] == found["edges"][0]["reason"]


def test_what_cannot_be_planned_hides_nothing(folder):
    lost = "  - {id: lost, fixed_image: em, moving_image: lm}\n"
    found = register_graph(describe(folder, lost, CT_EM), folder / "G")
    assert states(found) == {"lost": "impossible", "ct-to-em": "given"}
    assert "image lm has no file_set" in found["edges"][0]["reason"]


def test_a_wrong_registration_opens_the_loop(folder):
    moved = Affine.from_parts(EM_TO_CT.linear, EM_TO_CT.translation_zyx_nm + np.array([0, 3000, 0]),
                              source=EM, target=CT)  # fmt: skip
    wrong = given("ct-to-em-2", "em", "ct", moved, 200)
    found = register_graph(describe(folder, LANDMARKS, CT_EM, EM_LM, wrong), folder / "G")
    opened = [loop for loop in found["loop_closures"] if loop["is_open"]]
    assert opened
    assert {tuple(loop["suspects"]) for loop in opened} == {("ct-to-em-2",)}
    assert any("suspect: ct-to-em-2" in text for text in found["findings"])
    assert all("ct-to-em-2" not in p["edges"] or p["status"] == "uncertain"
               for p in found["pairs"])  # fmt: skip


def test_a_finished_registration_is_taken_from_its_folder(folder):
    register_graph(describe(folder, LANDMARKS), folder / "first")
    taken = (
        "  - {id: lm-to-ct, fixed_image: ct, moving_image: lm, transforms: [{transform_kind: "
        "affine, transform_direction: fixed_to_moving, transform_file: "
        "first/registration/lm-to-ct/transforms/fixed_to_moving.h5}]}\n"
    )
    found = register_graph(describe(folder, taken), folder / "G")
    (edge,) = found["edges"]
    assert (edge["state"], edge["status"]) == ("given", "ok")
    record = json.loads((folder / "first/registration/lm-to-ct/registration.json").read_text())
    assert edge["error_nm"]["median"] == record["tre_estimate_nm"]["median"]
    assert edge["folder"] == "../first/registration/lm-to-ct"


def test_a_fit_is_no_accuracy(folder):
    fitted = CT_EM.replace("error_kind: held_out", "error_kind: fit")
    found = register_graph(describe(folder, fitted), folder / "G")
    assert found["edges"][0]["status"] == "uncertain"
    assert "a fit is not an accuracy" in found["edges"][0]["reason"]
    assert found["pairs"][0]["error_nm"]["median"] is None


EM_2 = (
    "  - {id: em-2, name: EM 2, image_kind: raw, modality: em,\n"
    "     file_set: {directory: f, file_pattern: em.ome.tif}}\n"
)


def bent_edge(folder: Path, name: str, moving: str, forward) -> str:
    write_exact_json(folder / "f" / f"{name}.json", forward)
    return (
        f"  - id: {name}\n    fixed_image: ct\n    moving_image: {moving}\n"
        "    transforms: [{transform_kind: chain, transform_direction: fixed_to_moving, "
        f"transform_file: f/{name}.json}}]\n"
        "    correlation_errors: [{error_kind: held_out, error_median: 100 nm}]\n"
    )


def test_a_way_through_an_inverse_says_what_sampling_costs(folder, rng):
    """Two images on one CT: the way between them needs the inverse of a bent map."""
    lattice = Grid(space=CT, shape_zyx=(7, 7, 7), voxel_size_zyx_nm=(9000.0, 9000.0, 9000.0),
                   origin_zyx_nm=(-10_000.0, -10_000.0, -10_000.0))  # fmt: skip
    bends = [BSpline(rng.normal(0, 250, (7, 7, 7, 3)), lattice, CT, CT) for _ in range(2)]
    first = compose(bends[0], EM_TO_CT.inverse())
    aside = turned(-3, 0.97, [8000.0, 10_000.0, 13_000.0], EM, CT)  # another, partly the same
    second = compose(bends[1], aside.inverse())
    description = describe(
        folder, bent_edge(folder, "one", "em", first), bent_edge(folder, "two", "em-2", second)
    )
    description.write_text(description.read_text().replace("corre", f"{EM_2}corre", 1))
    found = register_graph(description, folder / "G")
    assert found["findings"] == []
    (pair,) = (p for p in found["pairs"] if len(p["edges"]) == 2)
    composed = folder / "G" / pair["folder"]
    exact = read_transform(composed / "fixed_to_moving.exact.json")
    sampled = open_registration(composed).fixed_to_moving
    through = CT_GRID.points()
    ends = {"em": first.apply_points(through), "em-2": second.apply_points(through)}
    low, high = EM_GRID.corners()[[0, -1]]
    both = np.all([np.all((p > low) & (p < high), axis=1) for p in ends.values()], axis=0)
    assert both.sum() > 50
    start, wanted = ends[pair["fixed"]][both], ends[pair["moving"]][both]
    assert np.allclose(exact.apply_points(start), wanted, atol=0.1)
    gap = np.linalg.norm(sampled.apply_points(start) - wanted, axis=1)
    assert gap.max() <= 1.5 * pair["map_error_nm"] + 0.1
    assert 0 < pair["map_error_nm"] < 30


def test_regions_of_one_block_need_not_meet(folder):
    """Two EM volumes far apart in one CT: each on the CT, nothing between them, no finding."""
    far = turned(0, 1.0, [1000.0, 1000.0, 1000.0], EM, CT)
    description = describe(folder, CT_EM, given("two", "em-2", "ct", far, 200))
    description.write_text(description.read_text().replace("corre", f"{EM_2}corre", 1))
    found = register_graph(description, folder / "G")
    assert found["findings"] == []
    (pair,) = (p for p in found["pairs"] if len(p["edges"]) == 2)
    assert pair["apart"].startswith("the images share no place")
    assert not (folder / "G" / "composed").exists() or not any((folder / "G/composed").iterdir())


def test_the_target_lies_where_the_construction_has_it(folder):
    register_graph(describe(folder, LANDMARKS, CT_EM, EM_LM), folder / "G")
    in_ct = np.array([17_000.0, 12_000.0, 15_000.0])
    in_lm = CT_TO_LM.apply_points([in_ct])[0]
    found = predict_target(
        folder / "G", point_zyx_nm=in_lm, source="lm", xray_space="ct",
        xray=folder / "f" / "ct.ome.tif", output=folder / "t.json", picture=folder / "t.png",
    )  # fmt: skip
    slope = np.array([1.0, -0.1, 0.05])
    depth = (in_ct @ slope - 5000) / np.linalg.norm(slope)
    assert found["depth_nm"]["low"] < depth < found["depth_nm"]["high"]
    assert found["depth_nm"]["high"] - found["depth_nm"]["low"] < 2500
    # the planes of LM are those of CT here; up is against y, and the face falls towards +y
    assert found["tilt_deg"]["value"] == pytest.approx(np.degrees(np.arctan(0.1)), abs=0.5)
    assert found["knife_deg"]["value"] == pytest.approx(np.degrees(np.arctan(0.05)), abs=0.5)
    assert found["findings"] == []
    assert json.loads((folder / "t.json").read_text())["depth_nm"] == found["depth_nm"]
    assert (folder / "t.png").read_bytes().startswith(b"\x89PNG")
    inputs = json.loads((folder / "t.json.provenance.json").read_text())["inputs"]
    assert {Path(i["path"]).name for i in inputs} == {"graph.json", "ct.ome.tif"}


def test_a_target_by_picked_points_and_as_an_object(folder):
    register_graph(describe(folder, LANDMARKS), folder / "G")
    single = folder / "G" / "registration" / "lm-to-ct"
    yx = np.array([[2000.0, 1000.0], [2000.0, 26_000.0], [24_000.0, 26_000.0], [24_000.0, 1000.0]])
    z = 5000 + 0.1 * yx[:, 0] - 0.05 * yx[:, 1]
    write_named_points(folder / "face.csv", LandmarkSet(
        space=CT, ids=("a", "b", "c", "d"), points_zyx_nm=np.column_stack([z, yx])))  # fmt: skip
    edge = np.column_stack([z, yx])[[3, 2]]  # the lower edge: left to right, at large y
    write_named_points(folder / "edge.csv", LandmarkSet(space=CT, ids=("l", "r"),
                                                        points_zyx_nm=edge))  # fmt: skip
    grid = Grid(space=LM, shape_zyx=(15, 40, 44), voxel_size_zyx_nm=(2000.0, 1000.0, 1000.0))
    in_ct = np.array([17_000.0, 12_000.0, 15_000.0])
    centre = np.rint(grid.to_index(CT_TO_LM.apply_points([in_ct]))[0]).astype(int)
    values = np.zeros(grid.shape_zyx, np.uint8)
    values[tuple(slice(c - 1, c + 2) for c in centre)] = 7
    labels = Volume(data=values, grid=grid, modality="lm", role="labels")
    write_ome_tiff(folder / "labels.ome.tif", labels)
    found = predict_target(single, labels=folder / "labels.ome.tif", label=7,
                           face_points=folder / "face.csv", edge=folder / "edge.csv")  # fmt: skip
    there = CT_TO_LM.inverse().apply_points(grid.to_physical([centre]))[0]
    slope = np.array([1.0, -0.1, 0.05])
    depth = (there @ slope - 5000) / np.linalg.norm(slope)
    assert found["depth_nm"]["value"] == pytest.approx(depth, abs=500)
    assert found["object_depth_nm"]["from"] < depth - 1500
    assert found["object_depth_nm"]["to"] > depth + 1500
    assert found["right_nm"]["value"] == pytest.approx(there[2] - 13_500, abs=900)
    assert found["up_nm"]["value"] == pytest.approx(24_000 - there[1], abs=1500)
    far = predict_target(single, point_zyx_nm=CT_TO_LM.apply_points([[2e4, 2e4, 9e4]])[0],
                         face_points=folder / "face.csv")  # fmt: skip
    assert any("outside what was registered" in text for text in far["findings"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"point_zyx_nm": None}, "expected a point, or labels"),
        ({"face_points": None}, "expected points on the block face"),
        ({"source": None}, "a graph needs the image with the target"),
        ({"xray_space": "lm"}, "expected two images"),
        ({"face_side": "top"}, "face side"),
    ],
)
def test_a_target_that_cannot_be_predicted_is_refused(folder, changes, reason):
    register_graph(describe(folder, LANDMARKS), folder / "G")
    call = {"point_zyx_nm": [1e4, 1e4, 3e4], "source": "lm", "xray_space": "ct",
            "face_points": folder / "f" / "none.csv"} | changes  # fmt: skip
    with pytest.raises(ArgumentError, match=reason):
        predict_target(folder / "G", **call)


def test_places_that_are_no_graphs_are_refused(folder):
    description = describe(folder, LANDMARKS)
    with pytest.raises(NotFoundError, match="found no graph"):
        open_graph(folder)
    with pytest.raises(ArgumentError, match="something else"):
        register_graph(description, folder)
    with pytest.raises(NotFoundError, match="make it first"):
        register_graph(description, folder / "no" / "G")
    (folder / "experiment.yaml").write_text(HEAD.replace("correlations:\n", ""))
    with pytest.raises(ArgumentError, match="expected correlations"):
        register_graph(description, folder / "G")
