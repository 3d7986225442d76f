"""Steps follow from the description: what is described decides, nothing is opened."""

from __future__ import annotations

import pytest

from clemkit.errors import ArgumentError, NotFoundError
from clemkit.workflows.run_plan import plan_run
from clemkit.workflows.run_settings import CorrelationSettings, RunSettings, SegmentSettings

MITO = {"term": "GO:0005739", "term_label": "mitochondrion"}


def image(name, directory, pattern, **more):
    return {"id": name, "file_set": {"directory": directory, "file_pattern": pattern}, **more}


@pytest.fixture
def folder(tmp_path):
    for name in ("em/s1.tif", "em/s2.tif", "lm/a.ome.tif", "v.ome.zarr/zarr.json", "b/b.xml",
                 "b/b.h5", "labels.tif", "marks.csv", "p.md"):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    return tmp_path


def steps_of(folder, data, settings=None):
    plan = plan_run(data, folder / "e.yaml", folder / "run", settings or RunSettings(), seed=3)
    return {step.name: step for step in plan.steps}


def described(*images, **correlation):
    one = {"id": "c", "fixed_image": "em", "moving_image": "lm", **correlation}
    return {"id": "e", "images": list(images), "correlations": [one]}


LAST = ["describe", "validate", "rdf", "empiar", "bia"]


def test_without_a_correlation_the_description_is_completed_and_packed(folder):
    steps = steps_of(folder, {"id": "e", "images": [image("em", "em", "*.tif")]})
    assert list(steps) == ["check", *LAST]
    assert len(steps["check"].inputs) == 3
    only = steps_of(folder, {"id": "e"}, RunSettings(archives=("bia",)))
    assert list(only) == ["check", "describe", "validate", "rdf", "bia"]


def test_planes_become_a_volume_and_a_store_is_taken_as_it_is(folder):
    data = described(image("em", "em", "s*.tif"), image("lm", ".", "v.ome.zarr"))
    steps = steps_of(folder, data)
    assert list(steps) == ["check", "convert:em", "register:c", "warp:c", *LAST]
    assert steps["convert:em"].inputs == (folder / "em",)
    assert steps["convert:em"].parameters["voxel_size_zyx_nm"] is None
    assert steps["register:c"].inputs == (
        folder / "run/converted/em.ome.zarr", folder / "v.ome.zarr",
    )  # fmt: skip
    assert steps["register:c"].parameters["seed"] == 3
    assert steps["describe"].needs == ("convert:em", "register:c", "warp:c")


def test_a_header_file_stands_for_its_voxels(folder):
    steps = steps_of(folder, described(image("em", "b", "b.*"), image("lm", ".", "v.ome.zarr")))
    assert steps["convert:em"].inputs == (folder / "b/b.xml",)


def test_a_described_segmentation_gives_the_labels_unless_settings_make_them(folder):
    labels = image("l", ".", "labels.tif", image_kind="segmentation", derived_from_images=["em"])
    data = described(image("em", "em", "*.tif"), image("lm", "lm", "*"), labels)
    steps = steps_of(folder, data)
    assert steps["register:c"].inputs[2] == folder / "labels.tif"
    assert steps["register:c"].parameters["labels"] is True
    chosen = CorrelationSettings(segment=SegmentSettings(radius_nm=250.0))
    steps = steps_of(folder, data, RunSettings(correlations={"c": chosen}))
    assert steps["register:c"].inputs[2] == folder / "run/segmented/c.ome.zarr"
    assert steps["segment:c"].parameters["radius_nm"] == 250.0


def test_the_channel_is_the_one_that_shows_the_structure(folder):
    channels = [
        {"channel_index": 0, "channel_biological_entity_terms": [{"term": "GO:0005634"}]},
        {"channel_index": 1, "channel_biological_entity_terms": [MITO]},
    ]
    lm = image("lm", "lm", "*", channels=channels, modality="lm")
    data = described(image("em", "em", "*.tif"), lm, structures_used=[MITO])
    call = steps_of(folder, data)["register:c"].parameters
    assert (call["moving_channel"], call["structure"]) == (1, "mitochondrion")
    assert call["moving_modality"] == "lm"
    chosen = RunSettings(correlations={"c": CorrelationSettings(moving_channel=0)})
    assert steps_of(folder, data, chosen)["register:c"].parameters["moving_channel"] == 0


def test_landmarks_and_protocols_are_read_where_they_are_described(folder):
    data = described(image("em", "em", "*"), image("lm", "lm", "*"), landmark_file="marks.csv")
    data["protocols"] = [
        {"id": "p", "source_file": "p.md"},
        {"id": "q", "source_file": "p.md", "steps": [{"type": "Rinsing"}]},  # read already
    ]
    steps = steps_of(folder, data)
    assert [n for n in steps if n.startswith("protocol")] == ["protocol:p"]
    assert steps["evaluate:c"].inputs == (folder / "run/registration/c", folder / "marks.csv")


def test_an_image_of_two_correlations_is_converted_once(folder):
    data = described(image("em", "em", "*"), image("lm", "lm", "*"))
    data["correlations"].append({"id": "d", "fixed_image": "lm", "moving_image": "em"})
    steps = steps_of(folder, data)
    assert [n for n in steps if n.startswith("convert")] == ["convert:em", "convert:lm"]
    assert {s.outputs[0].name for n, s in steps.items() if n.startswith("warp")} == {
        "lm-on-em.ome.zarr", "em-on-lm.ome.zarr",
    }  # fmt: skip


def test_two_correlations_of_one_pair_do_not_write_one_image(folder):
    data = described(image("em", "em", "*"), image("lm", "lm", "*"))
    data["correlations"].append({"id": "d", "fixed_image": "em", "moving_image": "lm"})
    steps = steps_of(folder, data)
    assert steps["warp:c"].outputs[0].name == "lm-on-em.ome.zarr"
    assert steps["warp:d"].outputs[0].name == "lm-on-em-d.ome.zarr"


@pytest.mark.parametrize(
    ("images", "more", "error", "said"),
    [
        ((image("em", "em", "*"),), {}, ArgumentError, "image lm: expected file_set"),
        ((image("em", "em", "*"), image("lm", "x", "*")), {}, NotFoundError, r"files x/\*"),
        ((image("em", "em", "s1*"), image("lm", ".", "*.tif*")), {}, None, ""),
        ((image("em", ".", "*s*"), image("lm", "lm", "*")), {}, ArgumentError, "own"),
        ((image("em", "em", "*"), image("lm", "lm", "*")), {"landmark_file": "no.csv"},
         NotFoundError, r"no\.csv"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said_before_any_work(folder, images, more, error, said):
    data = described(*images, **more)
    if error is None:
        assert steps_of(folder, data)["convert:em"].inputs == (folder / "em/s1.tif",)
        return
    with pytest.raises(error, match=said):
        steps_of(folder, data)


def test_settings_of_an_unknown_correlation_are_refused(folder):
    data = described(image("em", "em", "*"), image("lm", "lm", "*"))
    with pytest.raises(ArgumentError, match="expected c, as described; found 'x'"):
        steps_of(folder, data, RunSettings(correlations={"x": CorrelationSettings()}))
