"""Protocols that were never in the widget, written as its form would hold them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator

from clemkit.errors import ArgumentError
from clemkit.metadata.load import read_document
from clemkit.metadata.model_map import model_map
from clemkit.metadata.models import build
from clemkit.metadata.protocols.spw import read_spw, to_spw
from clemkit.metadata.protocols.spw_names import _LISTED, widget_name

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
from any_experiment import instances  # in the folder above
from spw_documents import DOCUMENT  # beside this file

VALIDATOR = Draft202012Validator(DOCUMENT)
EXAMPLES = sorted((Path(__file__).parents[4] / "examples" / "metadata").glob("*.yaml"))
PHASES = [p for p in Phase if p is not Phase.shrink]
QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
HOURS = {"value": 2.0, "unit": "h"}


def written(*steps, **more):
    data = {"id": "d", "protocols": [{"id": "p", "name": "P", "steps": list(steps)}], **more}
    build(data)
    writing = to_spw(data)
    assert list(VALIDATOR.iter_errors(writing.document)) == []
    return writing


def step_and_rules(step, **more):
    writing = written(step, **more)
    return writing.document["data"][0], sorted(f.rule for f in writing.findings)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_fit_the_form(path):
    data = read_document(path).data
    for protocol in data["protocols"]:
        writing = to_spw(data, protocol=protocol["id"])
        assert list(VALIDATOR.iter_errors(writing.document)) == []
        assert len(writing.document["data"]) == len(protocol["steps"])
        build(read_spw(writing.document).data)


@given(instances("Protocol", 3))
@settings(QUICK, max_examples=60)
def test_any_protocol_fits_the_form_and_no_words_are_lost(protocol):
    protocol = protocol | {"id": "p", "name": "P"}
    writing = to_spw({"id": "d", "protocols": [protocol]})
    assert list(VALIDATOR.iter_errors(writing.document)) == []
    slots = model_map()["slots"]
    for step, document in zip(protocol.get("steps", ()), writing.document["data"], strict=True):
        everything = json.dumps(document, ensure_ascii=False)
        for slot, value in step.items():
            entry = slots[slot]
            if slot not in ("type", "step_label") and entry["range"] == "string":
                shown = json.dumps(value, ensure_ascii=False)[1:-1]
                assert shown in everything, slot


def test_units_of_the_form():
    step, rules = step_and_rules(
        {
            "type": "Rinsing",
            "duration": {"value": 30.0, "unit": "s"},
            "temperature": {"value": 277.15, "unit": "K"},
            "materials": [{"material_name": "x", "concentration": {"value": 150.0, "unit": "mM"}}],
        }
    )
    assert step["duration"] == {"duration": 0.5, "durationunit": "Min"}
    assert step["temperature"] == {"temperature": 277.15, "temperatureunit": "K"}
    row = step["reagentlist"][0]["concentrationdetails"]
    assert row == {"concentration": 0.15, "concentrationunits": "M"}
    assert rules == ["spw-converted", "spw-converted"]
    assert "notes" not in step


def test_equal_units_are_no_conversion():
    step, rules = step_and_rules(
        {
            "type": "Staining",
            "materials": [
                {"material_name": "x", "concentration": {"value": 5.0, "unit": "g_per_L"}}
            ],
        }
    )
    details = step["reagentlist"][0]["concentrationdetails"]
    assert details == {"concentration": 5, "concentrationunits": "mg/ml"}
    assert rules == []


def test_ranges_and_tolerances_stay_words():
    step, rules = step_and_rules(
        {
            "type": "ChemicalFixation",
            "duration": {"minimum": 48.0, "maximum": 72.0, "unit": "h"},
            "temperature": {"value": 4.0, "uncertainty": 1.0, "unit": "degC"},
            "step_ph": 7.35,
        }
    )
    assert "duration" not in step
    assert "ph" not in step
    assert step["temperature"] == {"temperature": 4, "temperatureunit": "C"}
    assert step["notes"].splitlines() == [
        "pH: 7.35", "temperature: 4 ± 1 °C (the tolerance)", "duration: 48–72 h"
    ]  # fmt: skip
    assert rules == ["spw-in-notes"] * 3


def test_an_interpretation_stands_behind_its_words():
    heat = {"minimum": 20.0, "maximum": 25.0, "unit": "degC", "verbatim": "RT"}
    night = {"minimum": 12.0, "maximum": 18.0, "unit": "h", "verbatim": "overnight"}
    step, _ = step_and_rules(
        {
            "type": "Staining",
            "temperature": heat | {"is_interpretation": True},
            "temperature_program": [
                {"start_temperature": {"value": 4.0, "unit": "degC"},
                 "end_temperature": {"value": 4.0, "unit": "degC"},
                 "duration": night | {"is_interpretation": True}},
                {"duration": HOURS},
            ],
        }
    )  # fmt: skip
    assert step["notes"].splitlines() == [
        "temperature: RT (20–25 °C)", "temperature program: 4 °C overnight (12–18 h), then 2 h",
    ]  # fmt: skip


def test_percent_by_volume_is_a_percentage_and_said():
    step, rules = step_and_rules(
        {
            "type": "ChemicalFixation",
            "materials": [
                {"material_name": "tea", "concentration": {"value": 2.5, "unit": "percent_vv"}}
            ],
        }
    )
    assert step["reagentlist"][0]["concentrationdetails"]["concentrationunits"] == "%"
    assert "2.5 % v/v" in step["notes"]
    assert rules == ["spw-in-notes"]


def test_a_ladder_done_three_times_is_three_rows():
    step, rules = step_and_rules(
        {
            "type": "Dehydration",
            "materials": [{"material_name": "ethanol"}],
            "ladder": [
                {"stage_concentration": {"value": 70.0, "unit": "percent"}, "duration": HOURS},
                {"stage_concentration": {"value": 100.0, "unit": "percent"}, "repeats": 3},
            ],
        }
    )
    shown = [r["concentrationdetails"]["concentration"] for r in step["reagentconcentration"]]
    assert shown == [70, 100, 100, 100]
    assert step["reagent2"] == "Ethanol"
    assert rules == []


def test_dehydration_without_a_ladder_gets_one_row():
    step, rules = step_and_rules(
        {
            "type": "Dehydration",
            "materials": [
                {"material_name": "acetone", "concentration": {"value": 50.0, "unit": "percent"}}
            ],
            "duration": HOURS,
        }
    )
    assert step["reagentconcentration"] == [
        {
            "concentrationdetails": {"concentration": 50, "concentrationunits": "%"},
            "duration": {"duration": 2, "durationunit": "Hr"},
        }
    ]
    assert rules == []


def test_a_programme_is_rows_where_the_form_has_only_rows():
    cold = {"value": 4.0, "unit": "degC"}
    stages = [{"start_temperature": cold, "end_temperature": cold, "duration": HOURS}, {}]
    step, rules = step_and_rules({"type": "Dehydration", "temperature_program": stages})
    row = {"duration": {"duration": 2, "durationunit": "Hr"}}
    assert step["reagentconcentration"] == [row, {}]
    assert step["notes"] == "row 1 of reagentconcentration: temperature: 4 °C"
    assert rules == ["spw-in-notes"]
    step, rules = step_and_rules({"type": "Infiltration", "temperature_program": stages})
    assert step["infiltrationlist"][0]["starttemperature"]["starttemperature"] == 4
    assert rules == []


def test_infiltration_takes_resin_ratio_and_temperature():
    step, rules = step_and_rules(
        {
            "type": "Infiltration",
            "resin": "epon",
            "temperature": {"value": 4.0, "unit": "degC"},
            "ladder": [{"stage_ratio": "1:1", "duration": HOURS}, {"duration": HOURS}],
        },
        reagents=[{"id": "epon", "type": "Reagent", "name": "Epon"}],
    )
    assert step["reagentlist"] == [{"reagentdetail": {"reagent": "Epon"}}]
    assert [r["starttemperature"]["starttemperature"] for r in step["infiltrationlist"]] == [4, 4]
    assert step["notes"] == "row 1 of infiltrationlist: stage ratio: 1:1"
    assert rules == ["spw-in-notes"]


def test_curing_is_one_row_of_the_programme():
    step, rules = step_and_rules(
        {
            "type": "OvenCuring",
            "temperature": {"value": 60.0, "unit": "degC"},
            "duration": {"value": 2.0, "unit": "d"},
        }
    )
    row = step["warmingprocedure"][0]
    assert row["endtemperature"] == {"endtemperature": 60, "temperatureunit": "C"}
    assert row["duration"] == {"duration": 48, "durationunit": "Hr"}
    assert rules == ["spw-converted"]


def test_steps_the_widget_does_not_know_go_to_the_nearest():
    writing = written(
        {
            "type": "Sectioning",
            "knife": "diamond",
            "target_thickness": {"value": 70.0, "unit": "nm"},
        },
        {"type": "EnBlocStaining", "materials": [{"material_name": "uranyl acetate"}]},
        {"type": "UnparsedStep", "unparsed_text": "Then a miracle."},
    )
    methods = [s["method"] for s in writing.document["data"]]
    assert methods == ["Incubation", "Staining", "Incubation"]
    notes = [s["notes"].splitlines() for s in writing.document["data"]]
    assert notes[0] == ["Step: sectioning", "knife: diamond", "target thickness: 70 nm"]
    assert notes[1] == ["Step: en bloc staining"]
    assert notes[2] == ["Step: not understood", "Then a miracle."]
    slots = {f.location[-1] for f in writing.findings}
    assert {"type", "knife", "target_thickness", "unparsed_text"} <= slots


def test_solutions_are_listed_by_component():
    step, rules = step_and_rules(
        {"type": "ChemicalFixation", "materials": [{"material": "karnovsky"}]},
        reagents=[
            {"id": "ga", "type": "Reagent", "name": "glutaraldehyde"},
            {
                "id": "karnovsky", "type": "Solution", "name": "Karnovsky",
                "components": [
                    {"material": "ga", "concentration": {"value": 2.5, "unit": "percent"}},
                    {"material_name": "paraformaldehyde"},
                ],
            },
        ],
    )  # fmt: skip
    names = [r["reagentdetail"]["reagent"] for r in step["reagentlist"]]
    assert names == ["Glutaraldehyde", "Paraformaldehyde"]
    assert step["notes"] == "solution: Karnovsky"
    assert rules == ["spw-in-notes"]


def test_freezing_has_a_list_for_each_role():
    step, rules = step_and_rules(
        {
            "type": "HighPressureFreezing",
            "pressure": {"value": 210.0, "unit": "MPa"},
            "materials": [
                {"material_name": "BSA", "reagent_role": "filler"},
                {"material_name": "hexadecene", "reagent_role": "coating"},
                {"material_name": "medium"},
            ],
        }
    )
    assert step["pressure"] == {"pressure": 2100, "pressureunit": "bar"}
    assert step["fillmedium"] == [{"fillmediumdetail": {"reagent": "BSA"}}]
    assert step["coatingmedium"] == [{"coatingmediumdetail": {"reagent": "hexadecene"}}]
    assert step["notes"] == "materials: medium"
    assert rules == ["spw-converted", "spw-in-notes"]


def test_spans_and_terms_have_no_place_and_that_is_said():
    step, rules = step_and_rules(
        {
            "type": "Rinsing",
            "process_terms": [{"term": "OBI:0302888"}],
            "spans": [{"span_start": 0, "span_end": 3, "verbatim": "abc"}],
        }
    )
    assert set(step) == {"ordernumber", "method"}
    assert rules == ["spw-not-said"]


def test_materials_have_the_names_of_the_widgets_list():
    step, rules = step_and_rules(
        {
            "type": "PostFixation",
            "materials": [
                {"material_name": "OsO4", "solvent_name": "water"}, {"material_name": "tea"},
            ],
        }
    )  # fmt: skip
    details = [row["reagentdetail"] for row in step["reagentlist"]]
    assert details == [{"reagent": "Osmium Tetroxide", "solvent": "water"}, {"reagent": "tea"}]
    assert rules == ["spw-in-notes", "spw-named"]
    document = {"metadata": {"name": "x"}, "data": [
        {"method": "Rinsing", "ordernumber": 1,
         "reagentlist": [{"reagentdetail": {"reagent": "OsO4"}}]}]}  # fmt: skip
    assert to_spw(read_spw(document).data).document == document


def test_the_widgets_list_is_known_to_the_lexicon():
    assert all(widget_name(name) == name for name in _LISTED)
    assert len(set(_LISTED)) == 56


def test_settings_go_to_the_notes_unless_they_are_long():
    settings_ = [
        {"parameter_name": "power", "parameter_quantity": {"value": 150.0, "unit": "W"}},
        {"parameter_name": "mode", "parameter_json": '"a"'},
        {"parameter_name": "picture", "parameter_json": json.dumps("x" * 200)},
    ]
    step, rules = step_and_rules({"type": "Staining", "parameters": settings_})
    assert step["notes"] == 'parameters: power 150 W, mode "a", picture (in the description)'
    assert rules == ["spw-in-notes"]


def test_one_protocol_is_chosen():
    two = {"id": "d", "protocols": [{"id": "a", "name": "A"}, {"id": "b", "name": "B"}]}
    with pytest.raises(ArgumentError, match="found a, b"):
        to_spw(two)
    with pytest.raises(ArgumentError, match="'c'"):
        to_spw(two, protocol="c")
    assert to_spw(two, protocol="b").document["metadata"] == {"name": "B"}
    nameless = to_spw({"id": "d", "protocols": [{"id": "a"}]})
    assert [f.rule for f in nameless.findings] == ["spw-incomplete"]
