"""Documents of the Specimen Preparation Widget come back as they were."""

from __future__ import annotations

import copy
import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from clemkit.errors import ArgumentError, FormatError
from clemkit.metadata.models import build, to_plain
from clemkit.metadata.protocols.spw import is_spw, parse_json, read_spw, to_spw
from clemkit.metadata.protocols.spw_differences import same

sys.path.insert(0, str(Path(__file__).parent))
from spw_documents import DOCUMENT, FORMS, form_documents, odd_documents  # beside this file

PHASES = [p for p in Phase if p is not Phase.shrink]
QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)


def there_and_back(document):
    reading = read_spw(document, source="a.json")
    return to_spw(to_plain(build(reading.data)))


def only_step(document):
    return read_spw(document).data["protocols"][0]["steps"][0]


def parameters(owner):
    return {p["parameter_name"]: p for p in owner.get("parameters", ())}


def one(method, **fields):
    return {"metadata": {"name": "p"}, "data": [{**fields, "ordernumber": 1, "method": method}]}


# one document per method, with every field of today's form
TEMPERATURE = {"temperature": -90.5, "temperatureunit": "C"}
DURATION = {"duration": 1.5, "durationunit": "Hr"}
CONCENTRATION = {"concentration": 2.5, "concentrationunits": "%"}
REAGENT = {"reagent": "Glutaraldehyde", "solvent": "Sodium cacodylate"}
NOTES = {"notes": "rotate", "safetynotes": "toxic, in the hood"}
START = {"starttemperature": -90, "temperatureunit": "C"}
END = {"endtemperature": 253.15, "temperatureunit": "K"}
ROW = {"reagentdetail": REAGENT, "concentrationdetails": CONCENTRATION}
WARMING = [
    {"temperature": 5, "starttemperature": START, "endtemperature": END, "duration": DURATION}
]
SETTINGS = {
    "instrument": "AFS2",
    "instrumentwattage": 150,
    "instrumentramp": 5,
    "instrumentspeed": 0.5,
}
BATH = {
    "ph": 7.4, "temperature": TEMPERATURE, "duration": DURATION, "repeats": 3, **NOTES,
    "instrument": {"instrumentname": "rotator"}, "isundervaccum": True, "reagentlist": [ROW, ROW],
}  # fmt: skip
WHOLE = {
    "Chemical Fixation": BATH,
    "Rinsing": BATH,
    "Incubation": BATH,
    "Staining": {k: v for k, v in BATH.items() if k not in ("repeats", "isundervaccum")}
    | {"instrument": "microwave"},
    "Plunge Freezing": {
        "instrumentdetails": {"instrument": "Vitrobot"}, "chamberhumidity": 95,
        "chambertemperature": TEMPERATURE, "cryogentemperature": TEMPERATURE, **NOTES,
        "blotting": {"blotforce": -5, "blotduration": 2.5, "blottype": "Double sided"},
        "reagentlist": [
            {"material": "ethane", "proportion": 63}, {"material": "propane", "proportion": 37}
        ],
    },
    "High Pressure Freezing": {
        "pressure": {"pressure": 2048, "pressureunit": "bar"}, "duration": DURATION,
        "boredetials": {"borediameter": 1.2, "boredepth": 200}, "instrumentdetails": SETTINGS,
        **NOTES, "isundervaccum": False,
        "fillmedium": [{"fillmediumdetail": REAGENT, "concentrationdetails": CONCENTRATION}] * 2,
        "coatingmedium": [
            {"coatingmediumdetail": REAGENT, "concentrationdetails": CONCENTRATION}
        ] * 3,
    },
    "Dehydration": {
        "reagent1": "ddH2O", "reagent2": "Ethanol", "instrument": "PLT", "temperature": TEMPERATURE,
        "isundervaccum": True, **NOTES,
        "reagentconcentration": [{"concentrationdetails": CONCENTRATION, "duration": DURATION}] * 2,
    },
    "Infiltration": {
        "instrumentdetails": SETTINGS, **NOTES, "isundervaccum": True,
        "reagentlist": [
            {"reagentdetail": REAGENT, "weightdetails": {"weight": "12.5", "weightunits": "g"}}
        ],
        "infiltrationlist": [
            {"concentrationdetails": CONCENTRATION, "duration": DURATION,
             "starttemperature": START, "endtemperature": END},
            {"starttemperature": START,
             "endtemperature": {"endtemperature": -90, "temperatureunit": "C"}},
        ],
    },
    "Oven Curing": {
        "instrumentdetails": {"instrument": "oven"}, **NOTES, "warmingprocedure": WARMING,
    },
    "Uv Polymerisation": {
        "instrumentdetails": {"instrument": "lamp"}, **NOTES, "isundervaccum": True,
        "fixationmedium": [ROW], "warmingprocedure": WARMING,
    },
    "Freeze Substitution": {
        "instrumentdetails": SETTINGS, **NOTES, "fixationmedium": [ROW],
        "warmingprocedure": [{**WARMING[0], "endtemperature": START}],
    },
}  # fmt: skip


def test_every_method_has_a_whole_document():
    assert set(WHOLE) == set(FORMS)
    assert all(set(WHOLE[m]) == set(FORMS[m]) for m in FORMS)


@pytest.mark.parametrize("method", FORMS)
def test_a_whole_step_is_said_by_the_model(method):
    document = one(method, **WHOLE[method])
    step = only_step(document)
    assert "spw:differences" not in parameters(step)
    assert "spw:older" not in parameters(step)
    writing = there_and_back(document)
    assert same(writing.document, document)
    assert writing.findings == ()


MEANT = {
    "Chemical Fixation": {
        "type": "ChemicalFixation", "step_ph": 7.4, "temperature": (-90.5, "degC"),
        "duration": (1.5, "h"), "repeats": 3, "vacuum": True, "notes": "rotate",
        "safety": "toxic, in the hood", "instrument_description": "rotator",
        "materials/1/material_name": "Glutaraldehyde",
        "materials/1/solvent_name": "Sodium cacodylate",
        "materials/1/concentration": (2.5, "percent"),
    },
    "Rinsing": {"type": "Rinsing"},
    "Incubation": {"type": "Incubation"},
    "Staining": {"type": "Staining", "instrument_description": "microwave"},
    "Plunge Freezing": {
        "type": "PlungeFreezing", "chamber_humidity": (95, "percent"),
        "chamber_temperature": (-90.5, "degC"), "cryogen_temperature": (-90.5, "degC"),
        "blot_force": "-5", "blot_duration": (2.5, "s"), "blot_type": "Double sided",
        "cryogens/0/material_name": "ethane", "cryogens/0/concentration": (63, "percent"),
    },
    "High Pressure Freezing": {
        "type": "HighPressureFreezing", "pressure": (2048, "bar"),
        "carrier_bore_diameter": (1.2, "mm"), "carrier_bore_depth": (200, "um"),
        "wattage": (150, "W"), "freezing_ramp": "5", "freezing_speed": "0.5",
        "filler/material_name": "Glutaraldehyde", "carrier_coating/concentration": (2.5, "percent"),
        "materials/0/reagent_role": "filler", "materials/2/reagent_role": "coating",
    },
    "Dehydration": {
        "type": "Dehydration", "from_material/material_name": "ddH2O",
        "to_material/material_name": "Ethanol", "ladder/1/stage_concentration": (2.5, "percent"),
        "ladder/1/duration": (1.5, "h"),
    },
    "Infiltration": {
        "type": "Infiltration", "resin_recipe/0/amount": (12.5, "g"),
        "resin_recipe/0/solvent_name": "Sodium cacodylate",
        "ladder/0/start_temperature": (-90, "degC"), "ladder/0/end_temperature": (253.15, "K"),
        "ladder/1/temperature": (-90, "degC"),
    },
    "Oven Curing": {
        "type": "OvenCuring", "temperature_program/0/ramp_rate": (5, "K_per_h"),
        "temperature_program/0/start_temperature": (-90, "degC"),
        "temperature_program/0/end_temperature": (253.15, "K"),
        "temperature_program/0/duration": (1.5, "h"), "instrument_description": "oven",
    },
    "Uv Polymerisation": {
        "type": "UvPolymerization", "materials/0/material_name": "Glutaraldehyde",
        "temperature_program/0/ramp_rate": (5, "K_per_h"),
    },
    "Freeze Substitution": {
        "type": "FreezeSubstitution", "materials/0/concentration": (2.5, "percent"),
        "temperature_program/0/end_temperature": (-90, "degC"),
        "instrument_description": "AFS2",
    },
}  # fmt: skip


def at(value, path):
    for part in path.split("/"):
        value = value[int(part) if part.isdecimal() else part]
    return (value["value"], value["unit"]) if isinstance(value, dict) else value


@pytest.mark.parametrize("method", FORMS)
def test_what_the_fields_mean(method):
    step = only_step(one(method, **WHOLE[method]))
    assert {path: at(step, path) for path in MEANT[method]} == MEANT[method]


@pytest.mark.parametrize(
    ("written", "unit"),
    [("%", "percent"), ("%W/V", "percent_wv"), ("M", "M"), ("mg/ml", "mg_per_mL"),
     ("NA", "dimensionless")],
)  # fmt: skip
def test_units_of_concentrations(written, unit):
    details = {"concentration": 3, "concentrationunits": written}
    step = only_step(one("Staining", reagentlist=[{"concentrationdetails": details}]))
    assert at(step, "materials/0/concentration") == (3.0, unit)


@given(form_documents())
@settings(QUICK, max_examples=60)
def test_documents_of_the_form_need_no_differences(document):
    reading = read_spw(document)
    for step in reading.data["protocols"][0]["steps"]:
        assert "spw:older" not in parameters(step)
    assert same(there_and_back(document).document, document)


@given(odd_documents())
@settings(QUICK, max_examples=150)
@example(one("Staining", repeats=3, isundervaccum=True, instrument={"instrumentname": "m"}))
@example(
    one(
        "Rinsing",
        ph=7.35,
        repeats=0,
        temperature={},
        duration={"duration": "1", "durationunit": ""},
    )
)
@example(one("Dehydration", reagentconcentration=[{"repeats": 126}, None]))
@example({"data": None, "metadata": []})
@example({"data": [None, 3, {"method": 7, "ordernumber": True}], "user": {"name": " "}})
def test_odd_documents_come_back_too(document):
    before = copy.deepcopy(document)
    writing = there_and_back(document)
    assert same(writing.document, before)
    assert not [f for f in writing.findings if f.rule == "spw-out-of-date"]


def test_older_documents_are_understood():
    document = one(
        "Infiltration",
        isundervaccum=True,
        instrumentdetails={"instrument": "PLT", "instrumentwattage": "551"},
        infiltrationlist=[
            {
                "count": "5",
                "concentrationdetails": {"concentration": "51,5", "concentrationunits": "%"},
                "endtemperature": {"starttemperature": 54, "temperatureunit": "K"},
            }
        ],
    )
    step = only_step(document)
    stage = step["ladder"][0]
    assert stage["repeats"] == 5
    assert stage["stage_concentration"] == {"value": 51.5, "unit": "percent"}
    assert stage["end_temperature"] == {"value": 54.0, "unit": "K"}
    assert json.loads(parameters(step)["spw:older"]["parameter_json"]) == ["infiltrationlist/count"]
    wattage = parameters(step)["spw:instrumentdetails/instrumentwattage"]
    assert wattage["parameter_quantity"] == {"value": 551.0, "unit": "W"}
    assert same(there_and_back(document).document, document)


def test_an_edit_is_written_and_old_spellings_of_it_are_not():
    document = one(
        "Rinsing", duration={"duration": "12", "durationunit": "Min", "x": 1}, comment="a"
    )
    data = to_plain(build(read_spw(document).data))
    data["protocols"][0]["steps"][0]["duration"]["value"] = 20.0
    writing = to_spw(data)
    step = writing.document["data"][0]
    assert step["duration"] == {"duration": 20, "durationunit": "Min"}
    assert step["comment"] == "a"
    assert [f.rule for f in writing.findings] == ["spw-out-of-date"]


def test_an_empty_value_does_not_undo_an_edit():
    document = one("Rinsing", temperature={}, isundervaccum=None)
    data = to_plain(build(read_spw(document).data))
    data["protocols"][0]["steps"][0] |= {"temperature": {"value": 4.0, "unit": "degC"}}
    writing = to_spw(data)
    step = writing.document["data"][0]
    assert step["temperature"] == {"temperature": 4, "temperatureunit": "C"}
    assert step["isundervaccum"] is None
    assert [f.location[-1] for f in writing.findings] == ["temperature"]


def test_older_fields_follow_an_edit():
    document = one("Staining", isundervaccum=True, repeats=3)
    assert "spw:differences" not in parameters(only_step(document))
    data = to_plain(build(read_spw(document).data))
    data["protocols"][0]["steps"][0]["repeats"] = 5
    writing = to_spw(data)
    assert same(writing.document["data"][0], {**document["data"][0], "repeats": 5})
    assert writing.findings == ()


def test_a_step_taken_away_renumbers_the_others():
    document = {"metadata": {"name": "p"}, "data": [
        {"method": "Rinsing", "ordernumber": n, "notes": str(n)} for n in (3, 5, 9)
    ]}  # fmt: skip
    assert same(there_and_back(document).document, document)
    data = to_plain(build(read_spw(document).data))
    del data["protocols"][0]["steps"][0]
    writing = to_spw(data)
    assert [(s["ordernumber"], s["notes"]) for s in writing.document["data"]] == [
        (1, "5"),
        (2, "9"),
    ]
    assert writing.findings == ()


def test_numbers_of_steps_give_the_order():
    steps = [{"method": "Rinsing", "ordernumber": n, "notes": str(n)} for n in (2, 3, 1)]
    document = {"metadata": {"name": "p"}, "data": steps}
    reading = read_spw(document)
    assert [s["notes"] for s in reading.data["protocols"][0]["steps"]] == ["1", "2", "3"]
    assert "spw-order" in {f.rule for f in reading.findings}
    assert same(there_and_back(document).document, document)


def test_repeated_numbers_leave_the_order_and_say_so():
    steps = [
        {"method": "Rinsing", "ordernumber": n, "notes": str(i)} for i, n in enumerate((2, 1, 1))
    ]
    reading = read_spw({"metadata": {"name": "p"}, "data": steps})
    assert [s["notes"] for s in reading.data["protocols"][0]["steps"]] == ["0", "1", "2"]
    assert [f.rule for f in reading.findings] == ["spw-order"]


def test_what_no_field_holds_is_a_finding():
    document = one("Rinsing", duration={"duration": 5, "durationunit": "Sec"}, colour="brown")
    reading = read_spw(document)
    said = [f.message for f in reading.findings if f.rule == "spw-kept"]
    assert len(said) == 2
    assert any("duration" in m and "Sec" in m for m in said)
    assert any("colour" in m and "brown" in m for m in said)
    assert same(there_and_back(document).document, document)


def test_an_unknown_method_is_kept():
    document = one("Sputter Coating", notes="gold", instrument={"instrumentname": "coater"})
    step = only_step(document)
    assert (step["type"], step["name"], step["notes"]) == ("OtherStep", "Sputter Coating", "gold")
    assert step["instrument_description"] == "coater"
    writing = there_and_back(document)
    assert same(writing.document, document)
    assert writing.findings == ()


def test_who_and_what_for():
    document = {
        "user": {"name": "Ada Lovelace", "email": "ada@example.org"},
        "metadata": {"name": "HPF", "imagingmethod": "FIB-SEM", "studydescription": "Why.",
                     "biologicalentity": "yeast"},
        "data": [], "entryid": "SPW-10099", "doi": "10.6019/SPW-10099", "status": None,
        "is_curated": 1,
    }  # fmt: skip
    data = read_spw(document).data
    protocol, person = data["protocols"][0], data["agents"][0]
    assert protocol["id"] == "SPW-10099"
    assert (protocol["name"], protocol["target_material"]) == ("HPF", "yeast")
    assert protocol["doi"] == "10.6019/SPW-10099"
    assert (person["given_name"], person["family_name"]) == ("Ada", "Lovelace")
    assert person["email"] == "ada@example.org"
    assert same(there_and_back(document).document, document)


def test_strict_json_is_wanted(tmp_path):
    content, findings = parse_json('{"a": 1, "a": 2}', tmp_path / "x.json")
    assert content == {"a": 2}
    assert [f.rule for f in findings] == ["L0-duplicate-key"]
    for text in ("{", '{"a": NaN}', "[" * 100_000):
        with pytest.raises(FormatError, match="expected JSON"):
            parse_json(text, tmp_path / "x.json")
    with pytest.raises(ArgumentError, match="JSON object"):
        read_spw([1])


def test_documents_are_told_apart():
    assert is_spw(one("Rinsing"))
    assert is_spw({"metadata": {"imagingmethod": "TEM"}, "data": []})
    assert not is_spw({"steps": [], "title": "x"})
    assert not is_spw([])


SHARED = Path(os.environ.get("CLEMKIT_SHARED", Path(__file__).parents[5] / "shared"))


@pytest.mark.parametrize("name", ["SPW-10001.json", "t1.json"])
def test_the_widgets_own_documents_come_back(name):
    path = SHARED / "meta" / "empiar-spw" / name
    if not path.is_file():
        pytest.skip(f"shared document absent: {path}")
    document = json.loads(path.read_text(encoding="utf-8"))
    reading = read_spw(document, source=name)
    assert not [f for f in reading.findings if f.rule == "spw-kept"]
    writing = there_and_back(document)
    assert same(writing.document, document)
    assert writing.findings == ()


def test_the_schema_of_the_form_is_one():
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(DOCUMENT)
    validator = Draft202012Validator(DOCUMENT)
    for method, fields in WHOLE.items():
        assert list(validator.iter_errors(one(method, **fields))) == []
