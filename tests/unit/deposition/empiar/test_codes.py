"""EMPIAR's code tables against the official schema, and the quoted pairs."""

from __future__ import annotations

import re

import pytest

from clemkit.deposition.empiar.codes import (
    EXPERIMENT_TYPES,
    PAIRED_FIELDS,
    RELEASE_OPTIONS,
    SCALES,
    code_of,
    experiment_type_of,
    label_of,
    pair,
    pair_of_label,
    parse_pair,
    scale_of,
    spelled_out,
)
from clemkit.deposition.empiar.countries import COUNTRIES, country_code
from clemkit.deposition.empiar.formats import (
    FORMATS,
    READABLE,
    VOXEL_TYPES,
    format_of_pair,
    format_pairs,
    voxel_types_of_pair,
)
from clemkit.deposition.empiar.names import (
    initials_of,
    parse_name,
    parse_printed,
    printed_name,
    tuple_name,
)
from clemkit.deposition.empiar.schema_check import official_schema
from clemkit.metadata.model_map import model_map

TOP = official_schema()["properties"]
SETS = TOP["imagesets"]["items"]["properties"]


@pytest.mark.parametrize("field", sorted(PAIRED_FIELDS))
def test_codes_and_labels_are_those_of_the_schema(field):
    told = re.findall(r"(T[0-9]+)'(?: corresponds to|,? -) *'([^']+)'", SETS[field]["description"])
    assert {code: label.strip() for code, label in told} == dict(PAIRED_FIELDS[field])


@pytest.mark.parametrize("field", sorted(PAIRED_FIELDS))
def test_the_schema_takes_every_code_and_no_further(field):
    pattern = SETS[field]["pattern"]
    assert all(re.search(pattern, pair(code)) for code in PAIRED_FIELDS[field])
    assert not re.search(pattern, pair(f"T{len(PAIRED_FIELDS[field]) + 1}"))


@pytest.mark.parametrize("field", sorted(PAIRED_FIELDS))
def test_labels_and_codes_go_both_ways(field):
    for code, label in PAIRED_FIELDS[field].items():
        assert label_of(field, pair(code)) == label
        assert code_of(field, label.lower()) == code
        assert pair_of_label(field, label) == pair(code)


def test_t8_is_not_the_same_in_the_two_lists():
    assert label_of("header_format", "('T8', '')") == "XML"
    assert label_of("data_format", "('T8', '')") == "BIG DATA VIEWER HDF5"
    assert code_of("header_format", "big data viewer hdf5") is None
    assert code_of("data_format", "XML") is None
    assert format_pairs("bdv_hdf5") == ("('T8', '')", "('T8', '')")
    assert format_pairs("bdv_n5") == ("('T8', '')", "('OT', 'N5')")


def test_other_tables_are_those_of_the_schema():
    assert list(EXPERIMENT_TYPES) == TOP["experiment_type"]["enum"]
    assert list(RELEASE_OPTIONS) == TOP["release_date"]["enum"]
    assert all(re.search(TOP["scale"]["pattern"], code) for code in SCALES)
    listed = TOP["corresponding_author"]["properties"]["country"]["enum"]
    assert sorted(COUNTRIES) == sorted(listed)
    assert len(COUNTRIES) == 249


def test_labels_of_the_api():
    assert [experiment_type_of(label) for label in EXPERIMENT_TYPES.values()] == list(
        EXPERIMENT_TYPES
    )
    assert [scale_of(label) for label in SCALES.values()] == list(SCALES)
    assert experiment_type_of("cryo") is None
    assert experiment_type_of("Serial block-face SEM") == 4
    assert scale_of("Cell") == "3"
    assert pair_of_label("data_format", "OME-Zarr") == "('OT', 'OME ZARR')"
    assert pair_of_label("category", "my own kind") == "('OT', 'my own kind')"


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("('T1', '')", ("T1", "")),
        ("('OT', 'OME ZARR')", ("OT", "OME ZARR")),
        ("('T1', '') ", None),
        ("('T1','')", None),
        ("x('OT', 'N5')", None),
        ("T1", None),
        (None, None),
    ],
)
def test_a_pair_is_read_as_a_whole(text, parsed):
    assert parse_pair(text) == parsed


@pytest.mark.parametrize(
    ("text", "spelled"),
    [("OME-Zarr", "OME ZARR"), ("64-bit float", "64 BIT FLOAT"), ("é", "OTHER"), ("", "OTHER")],
)
def test_formats_are_spelled_out_in_capitals(text, spelled):
    assert spelled_out(text) == spelled
    assert re.search(SETS["data_format"]["pattern"], pair("OT", spelled))


def test_every_format_and_type_of_the_model_has_a_code_that_the_schema_takes():
    enums = model_map()["enums"]
    assert set(enums["FileFormat"]["values"]) == set(FORMATS) - {"bdv_n5"} | {"other_format"}
    assert set(enums["DataType"]["values"]) <= set(VOXEL_TYPES)
    assert set(FORMATS) >= READABLE
    for header, data in FORMATS.values():
        assert re.search(SETS["header_format"]["pattern"], header)
        assert re.search(SETS["data_format"]["pattern"], data)
    for voxel in VOXEL_TYPES.values():
        assert re.search(SETS["voxel_type"]["pattern"], voxel)


def test_formats_and_types_come_back_from_their_codes():
    assert all(format_of_pair(*pairs) == n for n, pairs in FORMATS.items() if n != "bdv_n5")
    assert format_of_pair("('T2', '')", "('T2', '')") == "mrc"
    assert format_of_pair("('T7', '')", "('T7', '')") is None
    assert format_pairs("mrc", ["a.mrcs", "b.mrcs"]) == ("('T2', '')", "('T2', '')")
    assert format_pairs("mrc", ["a.mrcs", "b.mrc"]) == ("('T1', '')", "('T1', '')")
    assert all(n in voxel_types_of_pair(v) for n, v in VOXEL_TYPES.items())


@pytest.mark.parametrize(
    ("text", "code"),
    [("UK", "GB"), ("United Kingdom", "GB"), ("gb", "GB"), ("USA", "US"), ("Narnia", None)],
)
def test_countries_by_what_people_write(text, code):
    assert country_code(text) == code


@pytest.mark.parametrize(
    ("given", "initials"),
    [("Yi-Wei", "YW"), ("John William", "JW"), ("J. W.", "JW"), ("JW", "JW"), ("Émile", "É")],
)
def test_initials(given, initials):
    assert initials_of(given) == initials


@pytest.mark.parametrize(
    ("printed", "parts"),
    [
        ("Chang YW", ("Chang", "YW")),
        ("Chang, Yi-Wei", ("Chang", "YW")),
        ("van der Berg J.", ("van der Berg", "J")),
        ("Smith J. W.", ("Smith", "JW")),
        ("Yi-Wei Chang", None),
        ("Chang", None),
        ("", None),
    ],
)
def test_printed_names(printed, parts):
    assert parse_printed(printed) == parts
    if parts:
        assert parse_printed(printed_name(*parts)) == parts
        assert parse_name(tuple_name(*parts)) == parts


def test_an_apostrophe_does_not_end_the_quotation():
    assert tuple_name("O'Brien", "K") == "('O’Brien', 'K')"
    assert re.search(TOP["authors"]["items"]["properties"]["name"]["pattern"], "('O’Brien', 'K')")
