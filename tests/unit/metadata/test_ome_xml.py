"""OME-XML: nothing is lost in a round trip; files of other programs are read or refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clemkit.errors import ArgumentError, DataError, FormatError
from clemkit.metadata.load import read_document
from clemkit.metadata.models import build, to_plain
from clemkit.metadata.ome.patch import difference, patched
from clemkit.metadata.ome.read import from_ome
from clemkit.metadata.ome.write import to_ome
from clemkit.metadata.validate.schema import check_schema

sys.path.insert(0, str(Path(__file__).parent))
from any_experiment import experiments, instances  # beside this file

ome_types = pytest.importorskip("ome_types")
ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples" / "metadata").glob("*.yaml"))
FIB_SEM = next(p for p in EXAMPLES if p.stem == "fib-sem-confocal")
PHASES = [p for p in Phase if p is not Phase.shrink]
QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
FILES = {
    # file of other programs: images, acquisitions, kept word for word, findings
    "MMStack": (2, 2, 0, 7), "ROI": (1, 1, 5, 1), "bad": (1, 0, 0, 1), "hcs": (1, 1, 1, 1),
    "instrument": (1, 1, 0, 1), "instrument-units-alternate": (1, 1, 0, 1),
    "invalid_xml_annotation": (1, 0, 1, 1), "multi-channel-z-series": (1, 1, 0, 1),
    "spim": (4, 4, 7, 5), "timestampannotation": (1, 1, 28, 6),
    "transformations-upgrade": (1, 1, 22, 6), "tubhiswt": (1, 1, 1, 3), "z-series": (1, 1, 0, 1),
}  # fmt: skip


@pytest.fixture(scope="module")
def example():
    return read_document(FIB_SEM).data


@pytest.fixture(scope="module")
def xml(example):
    return to_ome(example, "lm-raw")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_come_back_from_each_of_their_images(path):
    data = read_document(path).data
    for image in data["images"]:
        reading = from_ome(to_ome(data, image["id"]))
        assert reading.data == data
        assert reading.problems == ()


@st.composite
def with_an_image(draw):
    data = to_plain(build(draw(experiments())))
    image = to_plain_of(draw(instances("Image", 2)))
    size = st.integers(1, 3000)
    image |= {"id": "shown", "size_x": draw(size), "size_y": draw(size), "data_type": "uint16"}
    if data.get("acquisitions"):
        image["acquired_by"] = data["acquisitions"][0]["id"]
    if data.get("acquisitions") and data.get("instruments"):
        data["acquisitions"][0]["instrument"] = data["instruments"][0]["id"]
    if data.get("acquisitions") and data.get("agents"):
        data["acquisitions"][0]["operators"] = [data["agents"][0]["id"]]
    return {**data, "images": [*data.get("images", ()), image]}


def to_plain_of(image):
    return to_plain(build({"id": "x", "images": [image]}))["images"][0]


@given(with_an_image())
@settings(QUICK, max_examples=30)
def test_any_experiment_comes_back(data):
    assert from_ome(to_ome(data, "shown")).data == data


@given(experiments(depth=2), experiments(depth=2))
@settings(QUICK, max_examples=40)
def test_a_difference_turns_one_into_the_other(before, after):
    before, after = to_plain(build(before)), to_plain(build(after))
    assert patched(before, difference(before, after)) == after


def test_an_image_of_more_channels_than_can_be_listed_is_no_burden():
    image = {"id": "i", "size_x": 3, "size_y": 4, "size_c": 2**40, "data_type": "uint8"}
    data = {"id": "x", "images": [image | {"channels": [{"channel_index": 7}]}]}
    written = to_ome(data, "i")
    assert written.count("<Channel") == 0
    assert from_ome(written).data == data


def test_what_ome_can_hold_is_in_its_own_fields(xml):
    ome = ome_types.from_xml(xml)
    (image,), (instrument,), (person,) = ome.images, ome.instruments, ome.experimenters or [None]
    pixels, (channel,) = image.pixels, image.pixels.channels
    assert (pixels.size_x, pixels.size_y, pixels.size_z, pixels.size_c) == (1024, 1024, 60, 1)
    assert (pixels.physical_size_z, pixels.physical_size_z_unit.value) == (200.0, "nm")
    assert (channel.name, channel.fluor) == ("mitochondria", "MitoTracker Red")
    assert channel.excitation_wavelength == 561.0
    assert channel.acquisition_mode.value == "LaserScanningConfocalMicroscopy"
    assert instrument.microscope.manufacturer == "Maker A"
    assert instrument.objectives[0].lens_na == 1.4
    assert image.acquisition_date.isoformat() == "2026-04-02T08:30:00+02:00"
    assert person is None
    assert '"voxel_size_z":{"value":200.0' not in xml  # not said twice


def test_what_another_program_changed_is_taken_over(xml, example):
    changed = xml.replace('PhysicalSizeZ="200.0"', 'PhysicalSizeZ="210.0"')
    changed = changed.replace('Name="Confocal stack"', 'Name="renamed"')
    data = from_ome(changed).data
    image = data["images"][0]
    assert (image["voxel_size_z"]["value"], image["name"]) == (210.0, "renamed")
    assert data["protocols"] == example["protocols"]


def test_annotations_of_other_programs_travel_on():
    """From a foreign file to a description, to our OME-XML, and back."""
    foreign = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Image ID="Image:0" Name="a"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" '
        'SizeX="3" SizeY="4" SizeZ="1" SizeC="1" SizeT="1"><Channel ID="Channel:0:0"/>'
        "<MetadataOnly/></Pixels></Image><StructuredAnnotations>"
        '<MapAnnotation ID="Annotation:7" Namespace="lab"><Value><M K="tray">B 4 &amp; 5</M>'
        "</Value></MapAnnotation></StructuredAnnotations></OME>"
    )
    data = from_ome(foreign).data
    (kept,) = data["archive_settings"]
    assert kept["parameter_name"] == "ome:StructuredAnnotations/Annotation:7"
    written = to_ome(data, "image-0")
    annotations = ome_types.from_xml(written).structured_annotations.map_annotations
    assert annotations[0].namespace == "lab"
    assert annotations[0].value.ms[0].value == "B 4 & 5"
    assert from_ome(written).data == data


@pytest.mark.parametrize("name", FILES)
def test_files_of_other_programs(name, shared_data):
    path = shared_data / "ome-xml" / f"{name}.ome.xml"
    reading = from_ome(path.read_text(encoding="utf-8"), path=path)
    data = reading.data
    counts = (len(data["images"]), len(data.get("acquisitions", ())),
              len(data.get("archive_settings", ())), len(reading.problems))  # fmt: skip
    assert counts == FILES[name]
    assert check_schema(data) == []
    assert from_ome(to_ome(data, data["images"][0]["id"])).data == data


def test_every_shared_file_has_its_counts(shared_data):
    found = {p.name.removesuffix(".ome.xml") for p in (shared_data / "ome-xml").glob("*.xml")}
    assert found == set(FILES)


def test_units_of_other_files(shared_data):
    path = shared_data / "ome-xml" / "MMStack.ome.xml"
    image = from_ome(path.read_text(encoding="utf-8")).data["images"][0]
    assert image["voxel_size_z"] == {"value": 1.75, "unit": "um"}
    assert image["acquired_by"] == "acquisition-of-image-0"
    assert image["name"].startswith("image_stack_tpzc")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected OME-XML"),
        ("<OME", "expected OME-XML"),
        ("<html><body/></html>", "expected OME-XML"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><OME/>', "document type"),
    ],
)
def test_what_is_no_ome_xml_is_refused_in_one_line(text, words):
    with pytest.raises(FormatError, match=words) as caught:
        from_ome(text, path="a.ome.xml")
    assert "\n" not in str(caught.value)


def test_a_damaged_annotation_is_refused(xml):
    with pytest.raises(FormatError, match="found it damaged"):
        from_ome(xml.replace('"patch"', '"match"'))


def test_what_ome_requires(example):
    with pytest.raises(ArgumentError, match="expected one of lm-raw, em-raw, em-aligned; found"):
        to_ome(example, "em")
    bare = {"id": "x", "images": [{"id": "i", "size_x": 3}]}
    with pytest.raises(DataError, match="found no size_y, data_type"):
        to_ome(bare, "i")
    wide = {"id": "x", "images": [{"id": "i", "size_x": 3, "size_y": 4, "data_type": "uint64"}]}
    with pytest.raises(DataError, match="found uint64; convert"):
        to_ome(wide, "i")
