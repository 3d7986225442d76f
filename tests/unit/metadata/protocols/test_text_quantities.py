"""Quantities in prose: what is read, where, and what is no quantity."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clemkit.metadata.model_map import model_map
from clemkit.metadata.protocols.text.numbers import number_of
from clemkit.metadata.protocols.text.quantities import find_quantities


def read(text):
    """Kind, number or ends, unit of each quantity."""
    return [
        (q.kind, q.value if q.value is not None else (q.minimum, q.maximum), q.unit)
        for q in find_quantities(text)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("for 2–3 h", ("duration", (2.0, 3.0), "h")),
        ("48-72h", ("duration", (48.0, 72.0), "h")),
        ("4 to 6 h", ("duration", (4.0, 6.0), "h")),
        ("between 2 and 4 h", ("duration", (2.0, 4.0), "h")),
        ("30 min to 2 h", ("duration", (30.0, 120.0), "min")),
        ("at least 72 h", ("duration", (72.0, None), "h")),
        ("up to 2 h", ("duration", (None, 2.0), "h")),
        ("7`", ("duration", 7.0, "min")),
        ("7'", ("duration", 7.0, "min")),
        ('30"', ("duration", 30.0, "s")),
        ("1 h 30 min", ("duration", 90.0, "min")),
        ("1h30", ("duration", 90.0, "min")),
        ("1½ h", ("duration", 1.5, "h")),
        ("two hours", ("duration", 2.0, "h")),
        ("half an hour", ("duration", 0.5, "h")),
        ("one and a half hours", ("duration", 1.5, "h")),
        ("2 Stunden", ("duration", 2.0, "h")),
        ("2d", ("duration", 2.0, "d")),
        ("62°C", ("temperature", 62.0, "degC")),
        ("60C", ("temperature", 60.0, "degC")),
        ("at 60 degrees Celsius", ("temperature", 60.0, "degC")),
        ("at -90 °C", ("temperature", -90.0, "degC")),
        ("at −90°C", ("temperature", -90.0, "degC")),
        ("minus 20 °C", ("temperature", -20.0, "degC")),
        ("183 K", ("temperature", 183.0, "K")),
        ("5 °C/h", ("ramp", 5.0, "degC_per_h")),
        ("5 °C per hour", ("ramp", 5.0, "degC_per_h")),
        ("2,5 %", ("concentration", 2.5, "percent")),
        ("0,125 M", ("concentration", 0.125, "M")),
        ("4% (w/v)", ("concentration", 4.0, "percent_wv")),
        ("25 % v/v", ("concentration", 25.0, "percent_vv")),
        ("100 mM", ("concentration", 100.0, "mM")),
        ("10 µM", ("concentration", 10.0, "uM")),
        ("1 N HCl", ("concentration", 1.0, "N")),
        ("20 ppm", ("concentration", 20.0, "ppm")),
        ("0.5 mg/ml", ("concentration", 0.5, "mg_per_mL")),
        ("100 U/ml", ("concentration", 100.0, "U_per_mL")),
        ("EPON:EtOH 1+1", ("ratio", 1.0, "dimensionless")),
        ("a 3:1 mixture", ("ratio", 3.0, "dimensionless")),
        ("diluted 1:200", ("dilution", 0.005, "dimensionless")),
        ("1,000 rpm", ("rotation", 1000.0, "rpm")),
        ("300 × g", ("acceleration", 300.0, "times_g")),
        ("spun at 1500 g", ("acceleration", 1500.0, "times_g")),
        ("100 µl", ("volume", 100.0, "uL")),
        ("20 in Hg", ("pressure", 20.0, "inHg")),
        ("30 psi", ("pressure", 30.0, "psi")),
        ("2100 bar", ("pressure", 2100.0, "bar")),
        ("250 W", ("power", 250.0, "W")),
        ("0.6 mm/s", ("speed", 0.6, "mm_per_s")),
        ("8 ml/min", ("flow", 8.0, "mL_per_min")),
        ("pH 7.4", ("ph", 7.4, "pH")),
        ("pH 6,8–7,2", ("ph", (6.8, 7.2), "pH")),
        ("90 % humidity", ("humidity", 90.0, "percent")),
        ("70-nm sections", ("length", 70.0, "nm")),
        ("60-80 nm thick", ("length", (60.0, 80.0), "nm")),
    ],
)  # fmt: skip
def test_one_quantity(text, expected):
    assert read(text) == [expected]


@pytest.mark.parametrize(
    ("text", "count", "rest"),
    [
        ("3 × 10 min", 3, ("duration", 10.0, "min")),
        ("3x7`", 3, ("duration", 7.0, "min")),
        ("3 times for 10 min each", 3, ("duration", 10.0, "min")),
        ("10 min x 3", 3, ("duration", 10.0, "min")),
        ("twice for 5 min", 2, ("duration", 5.0, "min")),
        ("three changes of 20 min", 3, ("duration", 20.0, "min")),
        ("five 2-min rinses", 5, ("duration", 2.0, "min")),
        ("100 %×3", 3, ("concentration", 100.0, "percent")),
        ("2 x 100%", 2, ("concentration", 100.0, "percent")),
    ],
)
def test_repeats(text, count, rest):
    assert sorted(read(text)) == sorted([("count", float(count), "count"), rest])


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("50, 70, 90, 100 % ethanol", [50, 70, 90, 100]),
        ("30 %-50 %-70 %", [30, 50, 70]),
        ("30-50-70-90%", [30, 50, 70, 90]),
        ("50/70/90/100 % acetone", [50, 70, 90, 100]),
        ("30% and 50%", [30, 50]),
        ("25%→50%→75%", [25, 50, 75]),
        ("50, 70, 80, 90, 95, 100, 100%", [50, 70, 80, 90, 95, 100, 100]),
    ],
)
def test_ladders_share_their_unit(text, values):
    assert read(text) == [("concentration", float(v), "percent") for v in values]


@pytest.mark.parametrize(
    ("text", "low", "high", "unit"),
    [
        ("at RT", 20, 25, "degC"),
        ("room temp.", 20, 25, "degC"),
        ("at r.t.", 20, 25, "degC"),
        ("on ice", 0, 4, "degC"),
        ("auf Eis", 0, 4, "degC"),
        ("overnight", 12, 18, "h"),
        ("o/n", 12, 18, "h"),
        ("ON at", 12, 18, "h"),
        ("über Nacht", 12, 18, "h"),
        ("over the weekend", 48, 72, "h"),
    ],
)
def test_words_are_interpretations(text, low, high, unit):
    (found,) = find_quantities(text)
    assert (found.minimum, found.maximum, found.unit) == (low, high, unit)
    assert found.interpreted
    assert found.plain()["is_interpretation"] is True
    assert found.confidence < 0.95


def test_tolerance():
    (found,) = find_quantities("60±2 °C")
    assert (found.value, found.tolerance, found.unit) == (60.0, 2.0, "degC")
    assert found.plain() == {
        "value": 60.0, "unit": "degC", "uncertainty": 2.0, "verbatim": "60±2 °C",
    }  # fmt: skip
    assert find_quantities("50C +/- 2C")[0].tolerance == 2.0


def test_begin_and_end_of_a_programme_are_two():
    assert read("warmed from −90 to −45 °C at 5 °C/h") == [
        ("temperature", -90.0, "degC"), ("temperature", -45.0, "degC"), ("ramp", 5.0, "degC_per_h"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "(Deerinck et al., 2010)", "in the 1980s", "EMS #19170", "Cat. No. 19150", "Fig. 2C",
        "Table 3",
        "10x PBS", "63x objective", "Embed 812", "K4M", "Triton X-100", "3,3'-diaminobenzidine",
        "the 5'-end", "RT-PCR", "https://example.org/12 h", "12:12 h light/dark", "2024-03-12",
        "Alexa Fluor 488", "1 × 1 × 0.5 mm", "RRID:AB_2340 min", "section 2.3", "[12, 13]",
    ],
)  # fmt: skip
def test_what_is_no_quantity(text):
    assert read(text) == []


@pytest.mark.parametrize(
    "text", ["2.0 ml tube", "35-mm dish", "0.22 µm filter", "15-nm protein A gold"]
)
def test_sizes_of_things_are_told_apart(text):
    assert [q.kind for q in find_quantities(text)] == ["other"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1,000", 1000), ("2,5", 2.5), ("0,125", 0.125), ("1 000", 1000), ("½", 0.5), ("−4", -4)],
)
def test_numbers(text, value):
    assert number_of(text) == value


@given(st.text(alphabet="0123456789,.%°CxX×-– ±:/+hmin'`\"µMRT ()aeso\n", max_size=60))
@settings(max_examples=150, deadline=None)
def test_places_hold_the_words_and_do_not_overlap(text):
    found = find_quantities(text)
    units = model_map()["enums"]["Unit"]["values"]
    at = 0
    for q in found:
        assert text[q.start : q.end] == q.verbatim
        assert q.start >= at
        assert q.unit in units
        assert q.ucum == units[q.unit]["ucum"]
        at = q.end
    assert found == find_quantities(text)
