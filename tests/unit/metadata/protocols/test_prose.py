"""Protocols become good English: whole paragraphs, and the rules behind them."""

from __future__ import annotations

from pathlib import Path

import pytest

from clemkit.metadata.load import read_document
from clemkit.metadata.protocols.prose import methods_paragraph, summary_sentence
from clemkit.metadata.protocols.prose_series import programme, series
from clemkit.metadata.protocols.prose_words import (
    duration,
    joined,
    number_of_times,
    quantity,
    shown_name,
    temperature,
    with_article,
)
from clemkit.metadata.shorthand import expanded

EXAMPLES = Path(__file__).parents[4] / "examples" / "metadata"
ROOM = {
    "unit": "degC",
    "minimum": 20.0,
    "maximum": 25.0,
    "verbatim": "RT",
    "is_interpretation": True,
}
NIGHT = {
    "unit": "h",
    "minimum": 12.0,
    "maximum": 18.0,
    "verbatim": "overnight",
    "is_interpretation": True,
}


def example(name: str) -> dict:
    return expanded(read_document(EXAMPLES / f"{name}.yaml").data)


def protocol_of(steps: list[dict], **more) -> tuple[dict, dict]:
    data = expanded(
        {"id": "x", "name": "x", **more, "protocols": [{"id": "p", "name": "P", "steps": steps}]}
    )
    return data["protocols"][0], data


def told(steps: list[dict], **more) -> str:
    return methods_paragraph(*protocol_of(steps, **more), plain=True)


def test_high_pressure_freezing_and_freeze_substitution():
    data = example("fib-sem-confocal")
    assert methods_paragraph(data["protocols"][0], data, plain=True) == (
        "Samples were high-pressure frozen at 2048 bar in carriers of 50 µm depth (Maker B H-2). "
        "They were then freeze-substituted in freeze-substitution medium (1 % (w/v) osmium "
        "tetroxide, 0.1 % (w/v) uranyl acetate and 0.5 % (v/v) glutaraldehyde in acetone) at "
        "−90 °C for 24 h, warmed to −20 °C at 5 °C/h over 14 h and to 0 °C at 10 °C/h over 2 h, "
        "and rinsed three times for 10 min each in acetone at 4 °C. Next, they were infiltrated "
        "with 30 % Epon for 2 h, then 70 and 100 % for 12 h each (100 % twice), and cured for "
        "48 h at 60 °C. The samples were then coated with 20 nm of gold."
    )


def test_reduced_osmium_thiocarbohydrazide_osmium():
    data = example("sbf-sem-micro-ct-two-photon")
    assert methods_paragraph(data["protocols"][0], data, plain=True) == (
        "Animals were perfused transcardially with 2.5 % glutaraldehyde and 2 % paraformaldehyde "
        "in 0.15 M sodium cacodylate buffer (pH 7.4). Sections of 300 µm were cut with a vibratome "
        "and rinsed three times for 10 min each in 0.15 M sodium cacodylate buffer. They "
        "were then post-fixed in 2 % osmium tetroxide and 1.5 % potassium ferrocyanide for 60 min "
        "at 4 °C, and treated with 1 % thiocarbohydrazide for 20 min at room temperature. Next, "
        "they were stained en bloc with 2 % osmium tetroxide for 30 min, then with 1 % uranyl "
        "acetate for 16 h at 4 °C in the dark, then with lead aspartate (20 mM lead nitrate and "
        "30 mM L-aspartic acid; pH 5.5) for 30 min at 60 °C. The sections were then dehydrated in "
        "20, 50, 70, 90 and 100 % ethanol (5 min each; 100 % twice). Samples were infiltrated with "
        "50 % Durcupan ACM for 4 h and 100 % for 16 h, and cured for 48 h at 60 °C."
    )


def test_array_tomography():
    data = example("array-tomography-sim")
    assert methods_paragraph(data["protocols"][0], data, plain=True) == (
        "Samples were fixed in 4 % formaldehyde for 2 h. They were then infiltrated with "
        "LR White for 24 h at 4 °C and cured under ultraviolet light (365 nm) for 24 h at −20 °C. "
        "Sections of 70 nm were cut with a diamond knife and collected on silicon wafers. They "
        "were then incubated with anti-PSD95 for 2 h. Next, they were stained with 5 % (w/v) "
        "uranyl acetate for 30 min."
    )


def test_many_kinds_of_steps_and_paragraphs():
    pbs = [{"material_name": "PBS"}]
    rinse = {"type": "Rinsing", "repeats": 3, "duration": "10 min", "materials": pbs}
    steps = [
        {"type": "CellCulture", "materials": [{"material_name": "DMEM"}], "temperature": "37 °C"},
        {
            "type": "ChemicalFixation",
            "materials": [
                {"material_name": "Karnovsky's fixative"},
                {"material_name": "PFA", "concentration": "2 %"},
                {"material_name": "GA", "concentration": "2.5 %"},
                {"material_name": "sodium cacodylate", "concentration": "0.1 M"},
                {"material_name": "CaCl2", "concentration": "2 mM"},
            ],
            "step_ph": 7.4,
            "duration": "1 h",
            "temperature": ROOM,
        },
        rinse,
        {
            "type": "Quenching",
            "materials": [{"material_name": "glycine", "concentration": "20 mM"}],
            "duration": "5 min",
        },
        rinse,
        {
            "type": "ImmunoLabelling",
            "materials": [{"material_name": "rabbit anti-GFP", "stage_ratio": "1:200"}],
            "duration": NIGHT,
        },
        {
            "type": "DabReaction",
            "materials": [
                {"material_name": "DAB", "concentration": "0.5 mg/mL"},
                {"material_name": "H2O2", "concentration": "0.03 %"},
            ],
            "duration": {"unit": "min", "minimum": 5, "maximum": 15},
        },
        {
            "type": "PostFixation",
            "materials": [
                {"material_name": "OsO4", "concentration": "1 %", "solvent_name": "PHEM"}
            ],
            "duration": "14 min",
            "microwave": {
                "microwave_power": "100 W", "microwave_on_time": "2 min",
                "microwave_off_time": "2 min", "microwave_cycles": 3,
            },
            "vacuum": True,
        },
        {
            "type": "Infiltration",
            "materials": [{"material_name": "propylene oxide"}, {"material_name": "Durcupan"}],
            "ladder": [
                {"stage_ratio": "1:1", "duration": "1 h"},
                {"stage_ratio": "1:3", "duration": "1 h"},
                {"duration": NIGHT, "repeats": 2},
            ],
            "agitation": "rotator",
        },
        {"type": "OvenCuring", "temperature": "60 °C", "duration": "2 d"},
        {"type": "Trimming", "knife": "trimming knife"},
        {
            "type": "Sectioning", "target_thickness": "70 nm", "knife": "Histo",
            "equipment": ["utm"],
        },
        {"type": "SectionCollection", "support": "copper grid"},
        {"type": "UnparsedStep", "unparsed_text": "See the figure."},
    ]  # fmt: skip
    instruments = [
        {"id": "utm", "name": "UC7", "manufacturer": "Leica", "model_name": "EM UC7",
         "instrument_kind": "microtome"},
    ]  # fmt: skip
    assert told(steps, instruments=instruments) == (
        "Cells were grown in DMEM at 37 °C. They were then fixed in Karnovsky's fixative (2 % "
        "paraformaldehyde and 2.5 % glutaraldehyde in 0.1 M sodium cacodylate buffer with 2 mM "
        "calcium chloride; pH 7.4) for 1 h at room temperature, and rinsed three times for 10 min "
        "each in phosphate-buffered saline. Next, they were quenched with 20 mM glycine for 5 min "
        "and rinsed as before.\n\n"
        "The cells were then incubated with rabbit anti-GFP (1:200) overnight and reacted with "
        "0.5 mg/mL 3,3'-diaminobenzidine and 0.03 % hydrogen peroxide for 5–15 min. They were then "
        "post-fixed in 1 % osmium tetroxide in PHEM buffer for 14 min under vacuum (microwave at "
        "100 W, 2 min on, 2 min off, 3 cycles). Samples were infiltrated with mixtures of "
        "propylene oxide and Durcupan (1:1 and 1:3 for 1 h each) and with pure Durcupan twice "
        "overnight on a rotator, and cured for 2 days at 60 °C. Blocks were trimmed with a "
        "trimming knife. Sections of 70 nm were cut with a Histo knife (Leica EM UC7) and "
        "collected on copper grids."
    )


def test_numbers_keep_to_their_units():
    data = example("sbf-sem-micro-ct-two-photon")
    text = methods_paragraph(data["protocols"][0], data)
    assert "2.5\u00a0% glutaraldehyde" in text
    assert "0.15\u00a0M" in text
    assert "(pH\u00a07.4)" in text
    assert "\u00a0" not in methods_paragraph(data["protocols"][0], data, plain=True)


@pytest.mark.parametrize("name", [p.stem for p in EXAMPLES.glob("*.yaml")])
def test_a_limit_is_kept_by_leaving_out_the_least(name):
    data = example(name)
    protocol = data["protocols"][0]
    whole = methods_paragraph(protocol, data, plain=True)
    previous = len(whole)
    for limit in (len(whole), 700, 500, 300, 120, 40):
        text = methods_paragraph(protocol, data, limit=limit, plain=True)
        assert len(text) <= limit
        assert text.endswith(".")
        assert len(text) <= previous
        previous = len(text)
    assert methods_paragraph(protocol, data, limit=len(whole), plain=True) == whole


def test_the_summary_is_one_short_sentence():
    data = example("sbf-sem-micro-ct-two-photon")
    assert summary_sentence(data["protocols"][0], data) == (
        "Samples were perfused with glutaraldehyde and paraformaldehyde, cut into sections of "
        "300 µm, post-fixed with osmium tetroxide and potassium ferrocyanide, stained en bloc with "
        "thiocarbohydrazide, osmium tetroxide, uranyl acetate and lead aspartate, dehydrated in "
        "ethanol, infiltrated with Durcupan ACM, and cured at 60 °C for 48 h."
    )
    data = example("fib-sem-confocal")
    assert summary_sentence(data["protocols"][0], data) == (
        "Samples were high-pressure frozen, freeze-substituted in freeze-substitution medium, "
        "infiltrated with Epon, cured at 60 °C for 48 h and coated with gold."
    )
    assert len(summary_sentence(data["protocols"][0], data, limit=80)) <= 80
    assert summary_sentence({"id": "p", "steps": []}, {}) == ""
    assert methods_paragraph({"id": "p", "steps": []}, {}) == ""


def test_target_material_is_named_once():
    protocol, data = protocol_of(
        [{"type": "ChemicalFixation", "duration": "1 h"}, {"type": "Dehydration"}]
    )
    protocol = {**protocol, "target_material": "mouse brain"}
    text = methods_paragraph(protocol, data, plain=True)
    assert text.startswith("Samples (mouse brain) were fixed for 1 h.")
    assert text.count("mouse brain") == 1


def test_words_of_a_step_without_fields_are_told_as_they_are():
    text = told([{"type": "OtherStep", "description": "The lid was greased."}])
    assert text == "One further step was: The lid was greased."


def test_vendors_are_named_once_and_left_out_for_space():
    reagents = [{"id": "ga", "type": "Reagent", "name": "glutaraldehyde", "vendor": "Sigma"}]
    steps = [
        {"type": "ChemicalFixation", "materials": [{"material": "ga", "concentration": "2 %"}]},
        {"type": "Storage", "materials": [{"material": "ga", "concentration": "1 %"}]},
    ]
    protocol, data = protocol_of(steps, reagents=reagents)
    text = methods_paragraph(protocol, data, plain=True)
    assert text == (
        "Samples were fixed in 2 % glutaraldehyde (Sigma) and stored in 1 % glutaraldehyde."
    )
    short = methods_paragraph(protocol, data, limit=len(text) - 1, plain=True)
    assert short == "Samples were fixed in 2 % glutaraldehyde and stored in 1 % glutaraldehyde."


def test_plunge_freezing_and_cryo_milling():
    steps = [
        {
            "type": "PlungeFreezing",
            "cryogens": [{"material_name": "ethane"}],
            "cryogen_temperature": "-180 °C",
            "chamber_humidity": "95 %",
            "chamber_temperature": "22 °C",
            "blot_duration": "3 s",
            "blot_type": "from one side",
        },
        {
            "type": "CryoFibMilling",
            "target_thickness": "200 nm",
            "ion_species": "gallium",
            "beam_current": "50 pA",
            "milling_angle": "10 deg",
        },
    ]
    assert told(steps) == (
        "Samples were plunge-frozen in liquid ethane at −180 °C (chamber at 22 °C and 95 % "
        "humidity; blotted from one side for 3 s). Lamellae of 200 nm were milled with gallium "
        "ions (50 pA; 10° to the surface)."
    )


def test_lists_numbers_and_articles():
    assert joined([]) == ""
    assert joined(["a", "", "b"]) == "a and b"
    assert joined(["a", "b", "c"]) == "a, b and c"
    assert joined(["a and b", "c", "d"]) == "a and b, c, and d"
    assert [number_of_times(n) for n in (1, 2, 3, 12)] == [
        "once", "twice", "three times", "twelve times",
    ]  # fmt: skip
    assert number_of_times(15) == "15\u00a0times"
    assert with_article("diamond knife") == "a diamond knife"
    assert with_article("ultramicrotome") == "an ultramicrotome"
    assert with_article("liquid nitrogen") == "liquid nitrogen"
    assert with_article("a glass knife") == "a glass knife"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"value": 10, "unit": "min"}, "for 10 min"),
        ({"minimum": 48, "maximum": 72, "unit": "h"}, "for 48–72 h"),
        ({"minimum": 24, "unit": "h"}, "for at least 24 h"),
        ({"maximum": 2, "unit": "h"}, "for up to 2 h"),
        ({"value": 1, "unit": "d"}, "for 1 day"),
        ({"value": 2, "unit": "d"}, "for 2 days"),
        (NIGHT, "overnight"),
        ({"minimum": 40, "maximum": 72, "unit": "h", "verbatim": "over the weekend",
          "is_interpretation": True}, "over a weekend"),
        (None, ""),
    ],
)  # fmt: skip
def test_durations(value, words):
    assert duration(value).replace("\u00a0", " ") == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"value": 4, "unit": "degC"}, "at 4 °C"),
        ({"value": -90, "unit": "degC"}, "at −90 °C"),
        (ROOM, "at room temperature"),
        ({**ROOM, "minimum": 0, "maximum": 4, "verbatim": "on ice"}, "on ice"),
        ({"minimum": 20, "maximum": 25, "unit": "degC"}, "at 20–25 °C"),
        ({"value": 60, "uncertainty": 2, "unit": "degC"}, "at 60 ± 2 °C"),
    ],
)
def test_temperatures(value, words):
    assert temperature(value).replace("\u00a0", " ") == words


def test_concentrations_by_what_they_are_measured():
    assert quantity({"value": 1.5, "unit": "percent_wv"}) == "1.5\u00a0% (w/v)"
    assert quantity({"value": 8, "unit": "percent_vv"}) == "8\u00a0% (v/v)"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("OsO4", "osmium tetroxide"), ("Osmium Tetroxide", "osmium tetroxide"),
        ("ddH2O", "water"), ("Distilled water", "distilled water"), ("Aceton", "acetone"),
        ("Reynolds lead citrate", "Reynolds lead citrate"), ("Epon 812", "Epon 812"),
        ("formalin", "formalin"), ("moon dust", "moon dust"), ("EDTA", "EDTA"),
        ("PBS", "phosphate-buffered saline"), ("caco", "cacodylate buffer"),
    ],
)  # fmt: skip
def test_names_in_running_text(name, shown):
    assert shown_name(name) == shown


def stage(concentration: float, minutes: float, **more) -> dict:
    return {
        "stage_concentration": {"value": concentration, "unit": "percent"},
        "duration": {"value": minutes, "unit": "min"},
        **more,
    }


def test_ladders():
    def words(stages):
        return series(stages, "ethanol", "mixtures", "in").replace("\u00a0", " ")

    same = [stage(c, 10) for c in (50, 70, 90, 100)]
    assert words(same) == "in 50, 70, 90 and 100 % ethanol (10 min each)"
    twice = [*same[:3], stage(100, 10, repeats=3)]
    assert words(twice) == "in 50, 70, 90 and 100 % ethanol (10 min each; 100 % three times)"
    doubled = [*same, same[-1]]
    assert words(doubled) == "in 50, 70, 90 and 100 % ethanol (10 min each; 100 % twice)"
    grown = [stage(30, 5), stage(50, 5), stage(70, 10), stage(100, 10)]
    assert (
        words(grown) == "in 30 and 50 % ethanol for 5 min each, then 70 and 100 % for 10 min each"
    )
    single = [stage(50, 5), stage(100, 60, repeats=2)]
    assert words(single) == "in 50 % ethanol for 5 min and 100 % twice for 60 min each"


def test_programmes():
    def at(start, end=None, hours=None, rate=None):
        return {
            "start_temperature": {"value": start, "unit": "degC"},
            "end_temperature": {"value": start if end is None else end, "unit": "degC"},
            **({"duration": {"value": hours, "unit": "h"}} if hours else {}),
            **({"ramp_rate": {"value": rate, "unit": "degC_per_h"}} if rate else {}),
        }

    stages = [at(-90, hours=24), at(-90, -20, 14, 5), at(-20, hours=16), at(-20, 0, 4, 5)]
    assert programme(stages, warming=True).replace("\u00a0", " ") == (
        "at −90 °C for 24 h, warmed to −20 °C at 5 °C/h over 14 h, kept there for 16 h and warmed "
        "to 0 °C at 5 °C/h over 4 h"
    )
    assert programme([at(20, -20, rate=5)], warming=True).replace("\u00a0", " ") == (
        "cooled from 20 °C to −20 °C at 5 °C/h"
    )
    times = [{"duration": {"value": n, "unit": "min"}} for n in (1, 2)]
    assert programme(times, warming=True).replace("\u00a0", " ") == "for 1 min and for 2 min"
    assert programme([at(4, hours=2), at(50, hours=1)], warming=False).replace("\u00a0", " ") == (
        "for 2 h at 4 °C and for 1 h at 50 °C"
    )


def test_abbreviations_are_written_out_from_the_description():
    reagents = [
        {"id": "pb", "type": "Solution", "name": "phosphate buffer"},
        {"id": "dust", "type": "Reagent", "name": "moon dust"},
    ]
    steps = [
        {
            "type": "Incubation",
            "materials": [
                {"material": "dust", "material_name": "MD"},
                {"material": "pb", "material_name": "PB", "concentration": "0.1 M"},
            ],
        }
    ]
    assert told(steps, reagents=reagents) == (
        "Samples were incubated in MD in 0.1 M phosphate buffer."
    )


def test_the_summary_leaves_out_what_only_helps():
    steps = [
        {
            "type": "ImmunoLabelling",
            "materials": [
                {"material_name": "rabbit anti-GFP", "stage_ratio": "1:100"},
                {"material_name": "BSA", "concentration": "1 %"},
                {"material_name": "PBS"},
            ],
        },
        {
            "type": "FreezeSubstitution",
            "materials": [
                {"material_name": "uranyl acetate", "concentration": "0.1 %"},
                {"material_name": "acetone"},
                {"material_name": "water", "concentration": "5 %"},
            ],
        },
    ]
    protocol, data = protocol_of(steps)
    assert summary_sentence(protocol, data) == (
        "Samples were immunolabelled with rabbit anti-GFP and freeze-substituted in uranyl acetate "
        "in acetone."
    )
