"""Each rule fires on a protocol that breaks it and is silent on one that does not."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from clemkit.metadata.load import read_document
from clemkit.metadata.protocols.check import check_protocol
from clemkit.metadata.shorthand import expanded
from clemkit.metadata.validate import RULES, validate

EXAMPLES = sorted((Path(__file__).parents[4] / "examples" / "metadata").glob("*.yaml"))


def step(kind, *uses, **fields):
    """A step in short form; a use is a name, or a concentration and a name."""
    materials = []
    for use in uses:
        amount, _, name = use.rpartition(" | ")
        materials.append({"material_name": name, **({"concentration": amount} if amount else {})})
    return {"type": kind, **({"materials": materials} if materials else {}), **fields}


def ladder(*percent, **fields):
    return [{"stage_concentration": f"{p} %", "duration": "10 min", **fields} for p in percent]


def long(*steps, reagents=()):
    data = {"id": "x", "protocols": [{"id": "p", "steps": copy.deepcopy(list(steps))}]}
    data["reagents"] = list(reagents)
    return expanded(data)


def rules(*steps, reagents=()):
    data = long(*steps, reagents=reagents)
    return {p.rule for p in check_protocol(data["protocols"][0], data["reagents"])}


RT = {"temperature": "22 °C"}
FIX = step(
    "ChemicalFixation", "2.5 % | glutaraldehyde", "0.1 M | cacodylate buffer", duration="2 h"
)
WASH = step("Rinsing", "water", duration="5 min", repeats=3)
OSMIUM = step("PostFixation", "2 % | OsO4", "1.5 % | K4Fe(CN)6", duration="1 h")
TCH = step("EnBlocStaining", "1 % | thiocarbohydrazide", duration="20 min")
OSMIUM_2 = step("EnBlocStaining", "2 % | osmium tetroxide", duration="30 min")
UA = step("EnBlocStaining", "1 % | uranyl acetate", duration="12 h", temperature="4 °C")
LEAD = step(
    "EnBlocStaining", "Walton's lead aspartate", duration="30 min", temperature="60 °C", step_ph=5.5
)
ETHANOL = step("Dehydration", to_material={"material_name": "ethanol"}, ladder=ladder(50, 70, 100))
ACETONE = step("Dehydration", "acetone", duration="10 min")
EPON = step("Infiltration", "Epon 812", "acetone", ladder=ladder(25, 50, 100))
CURE = step("OvenCuring", "Epon", temperature="60 °C", duration="48 h")
CUT = step("Sectioning", target_thickness="70 nm")
ROTO = [
    FIX,
    WASH,
    OSMIUM,
    WASH,
    TCH,
    WASH,
    OSMIUM_2,
    WASH,
    UA,
    WASH,
    LEAD,
    WASH,
    ETHANOL,
    ACETONE,
    EPON,
    CURE,
    CUT,
]

FREEZE = step("HighPressureFreezing", "hexadecene", pressure="2100 bar")
PROGRAM = [
    {"start_temperature": "-90 °C", "end_temperature": "-90 °C", "duration": "48 h"},
    {
        "start_temperature": "-90 °C",
        "end_temperature": "-20 °C",
        "ramp_rate": "5 °C/h",
        "duration": "14 h",
    },
]
SUBSTITUTE = step(
    "FreezeSubstitution", "1 % | osmium tetroxide", "acetone", temperature_program=PROGRAM
)
HM20 = step("Infiltration", "HM20", "acetone", ladder=ladder(50, 100), temperature="-25 °C")
ULTRAVIOLET = step(
    "UvPolymerization",
    "Lowicryl HM20",
    duration="48 h",
    temperature_program=[
        {"start_temperature": "-25 °C", "end_temperature": "-25 °C", "duration": "48 h"},
        {
            "start_temperature": "-25 °C",
            "end_temperature": "20 °C",
            "ramp_rate": "5 °C/h",
            "duration": "9 h",
        },
    ],
)
FROZEN = [
    FREEZE,
    step("FreezeSubstitution", "0.1 % | uranyl acetate", "acetone", temperature_program=PROGRAM),
    step("Rinsing", "acetone", repeats=3, duration="10 min"),
    HM20,
    ULTRAVIOLET,
    CUT,
]

TOKUYASU = [
    step(
        "ChemicalFixation",
        "4 % | PFA",
        "0.1 % | glutaraldehyde",
        "0.1 M | PHEM",
        duration="2 h",
        **RT,
    ),
    step("Quenching", "20 mM | glycine", "PBS", duration="10 min"),
    step("Incubation", "2.3 M | sucrose", duration="12 h", temperature="4 °C"),
    step("PlungeFreezing", "liquid nitrogen"),
    step("Sectioning", target_thickness="70 nm", temperature="-120 °C"),
    step("ImmunoLabelling", "anti-GFP antibody", "1 % | BSA", "PBS", duration="30 min"),
    step("Rinsing", "PBS", repeats=5, duration="2 min"),
    step("ImmunoLabelling", "protein A gold", "PBS", duration="20 min"),
    step("Rinsing", "PBS", repeats=5, duration="2 min"),
    step("ChemicalFixation", "1 % | glutaraldehyde", "PBS", duration="5 min"),
    step("Rinsing", "water", repeats=8, duration="1 min"),
    step("PostStaining", "0.4 % | uranyl acetate", "methyl cellulose", duration="5 min"),
]
DAB = [
    step("ChemicalFixation", "2 % | glutaraldehyde", "0.1 M | cacodylate", duration="1 h"),
    step("Quenching", "20 mM | glycine", duration="5 min"),
    step("DabReaction", "0.5 mg/ml | DAB", "10 mM | H2O2", duration="10 min", step_ph=7.4),
    step("PostFixation", "1 % | osmium tetroxide", duration="30 min"),
]
CLASSICS = {"roto": ROTO, "frozen": FROZEN, "tokuyasu": TOKUYASU, "dab": DAB}


def without(steps, gone):
    return [s for s in steps if s is not gone]


def instead(steps, old, *new):
    return [n for s in steps for n in (new if s is old else (s,))]


def like(step_, **fields):
    return {**step_, **fields}


BROKEN = [
    ("L6-osmium-before-tch", [FIX, WASH, TCH, WASH, OSMIUM_2]),
    ("L6-osmium-after-tch", [FIX, WASH, OSMIUM, WASH, TCH, WASH, UA]),
    ("L6-rinse-around-tch", [FIX, WASH, OSMIUM, TCH, WASH, OSMIUM_2, WASH]),
    ("L6-rinse-around-tch", [FIX, WASH, OSMIUM, WASH, TCH, OSMIUM_2, WASH]),
    ("L6-reduced-osmium", [FIX, OSMIUM_2, WASH, TCH, WASH, like(OSMIUM, type="EnBlocStaining")]),
    ("L6-uranyl-after-phosphate", [FIX, OSMIUM, step("Rinsing", "0.1 M | phosphate buffer"), UA]),
    (
        "L6-uranyl-after-phosphate",
        [step("EnBlocStaining", "1 % | uranyl acetate", "PBS", duration="1 h")],
    ),
    ("L6-uranyl-after-phosphate", [step("PostFixation", "1 % | OsO4", "PB", duration="1 h"), UA]),
    ("L6-lead-after-phosphate", [FIX, step("Rinsing", "PBS"), LEAD]),
    ("L6-fixation-after-freezing", [FREEZE, FIX, OSMIUM]),
    ("L6-osmium-before-aldehyde", [OSMIUM, WASH, FIX, ETHANOL]),
    ("L6-aldehydes-before-label", without(TOKUYASU, TOKUYASU[1])),
    ("L6-water-after-dehydration", instead(ROTO, ACETONE, ACETONE, WASH)),
    ("L6-cut-before-cured", without(ROTO, CURE)),
    ("L6-ladder-falls", instead(ROTO, ETHANOL, like(ETHANOL, ladder=ladder(50, 90, 70, 100)))),
    (
        "L6-ladder-falls",
        [like(ETHANOL, ladder=ladder(50, 70)), UA, like(ETHANOL, ladder=ladder(30, 90, 100))],
    ),
    (
        "L6-ladder-ends-wet",
        [
            like(ETHANOL, ladder=ladder(50, 70, 90)),
            like(EPON, materials=EPON["materials"][:1]),
            CURE,
        ],
    ),
    ("L6-infiltration-falls", instead(ROTO, EPON, like(EPON, ladder=ladder(50, 25, 100)))),
    (
        "L6-infiltration-falls",
        [step("Infiltration", "Epon", ladder=[{"stage_ratio": r} for r in ("1:3", "3:1", "1:1")])],
    ),
    (
        "L6-other-resin",
        instead(ROTO, CURE, step("OvenCuring", "Durcupan", temperature="60 °C", duration="48 h")),
    ),
    ("L6-cured-before-infiltration", [ETHANOL, CURE, EPON]),
    ("L6-other-solvent", without(ROTO, ACETONE)),
    ("L6-curing-temperature", instead(ROTO, CURE, like(CURE, temperature="95 °C"))),
    (
        "L6-curing-temperature",
        [
            step("Infiltration", "LR White"),
            step("OvenCuring", temperature="70 °C", duration="24 h"),
        ],
    ),
    ("L6-curing-time", instead(ROTO, CURE, like(CURE, duration="48 min"))),
    ("L6-warm-ultraviolet", [HM20, step("UvPolymerization", temperature="22 °C", duration="48 h")]),
    ("L6-concentration", [like(FIX, materials=step("", "25 % | glutaraldehyde")["materials"])]),
    ("L6-concentration", [step("Rinsing", "1 M | cacodylate buffer")]),
    ("L6-lead-temperature", instead(ROTO, LEAD, like(LEAD, temperature="80 °C"))),
    ("L6-osmium-temperature", [FIX, like(OSMIUM, temperature="65 °C")]),
    ("L6-fixation-temperature", [like(FIX, temperature="-20 °C")]),
    (
        "L6-substitution-temperature",
        [step("FreezeSubstitution", "acetone", temperature="-20 °C", duration="8 h")],
    ),
    (
        "L6-temperature-program",
        [
            like(
                SUBSTITUTE,
                temperature_program=[
                    PROGRAM[0],
                    {**PROGRAM[1], "start_temperature": "-60 °C", "duration": "8 h"},
                ],
            )
        ],
    ),
    (
        "L6-temperature-program",
        [
            like(
                SUBSTITUTE,
                temperature_program=[
                    {**PROGRAM[1], "start_temperature": "-20 °C", "end_temperature": "-90 °C"}
                ],
            )
        ],
    ),
    (
        "L6-ramp",
        [like(SUBSTITUTE, temperature_program=[PROGRAM[0], {**PROGRAM[1], "duration": "7 h"}])],
    ),
    ("L6-freezing", [like(FREEZE, pressure="210 bar")]),
    ("L6-freezing", [step("PlungeFreezing", "ethane", cryogen_temperature="-80 °C")]),
    ("L6-acidity", instead(ROTO, LEAD, like(LEAD, step_ph=7.4))),
    ("L6-section-thickness", [like(CUT, target_thickness="70 mm")]),
    ("L6-no-temperature", [EPON, step("OvenCuring", duration="48 h")]),
    ("L6-no-duration", [FIX, step("PostFixation", "1 % | osmium tetroxide")]),
    ("L6-no-concentration", [step("PostFixation", "osmium tetroxide", duration="1 h")]),
    ("L6-dab-without-oxidant", [step("DabReaction", "0.5 mg/ml | DAB", duration="10 min")]),
]


@pytest.mark.parametrize(("rule", "steps"), BROKEN, ids=[rule for rule, _ in BROKEN])
def test_a_rule_fires(rule, steps):
    assert rules(*steps) == {rule}


def test_every_rule_of_protocols_is_tried():
    folder = Path(check_protocol.__code__.co_filename).parent / "plausibility"
    import re

    written = "".join(p.read_text(encoding="utf-8") for p in folder.glob("*.py"))
    codes = set(re.findall(r'"(L6-[a-z-]+)"', written))
    assert codes == {rule for rule, _ in BROKEN}
    assert codes <= set(RULES)


@pytest.mark.parametrize("steps", CLASSICS.values(), ids=CLASSICS)
def test_silent_on_classical_protocols(steps):
    assert rules(*steps) == set()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_silent_on_the_examples(path):
    data = read_document(path).data
    for protocol in data["protocols"]:
        assert check_protocol(protocol, data["reagents"]) == []


ODD_BUT_RIGHT = {
    "no rinse is ever mentioned": [FIX, OSMIUM, TCH, OSMIUM_2, UA],
    "phosphate was washed out": [FIX, step("Rinsing", "PBS"), WASH, UA],
    "substitution fixes after freezing": FROZEN[:2],
    "uranyl between two parts of a ladder": [
        like(ETHANOL, ladder=ladder(30, 50)),
        step("EnBlocStaining", "1 % | UA", "25 % | EtOH", duration="1 h"),
        like(ETHANOL, ladder=ladder(70, 100)),
    ],
    "acrylic after 90 % ethanol": [
        like(ETHANOL, ladder=ladder(50, 90)),
        step("Infiltration", "LR White"),
    ],
    "epoxy by another name": instead(
        ROTO, CURE, like(CURE, materials=[{"material_name": "epoxy resin"}])
    ),
    "fast curing when hot": instead(ROTO, CURE, like(CURE, temperature="70 °C", duration="8 h")),
    "light instead of peroxide": [
        FIX,
        step(
            "DabReaction",
            "0.5 mg/ml | DAB",
            duration="10 min",
            light_conditions="illuminated with a xenon lamp",
        ),
    ],
    "resin to solvent and back": [
        step("Infiltration", "Epon", ladder=[{"stage_ratio": r} for r in ("3:1", "1:1", "1:3")])
    ],
    "a stain of saturated strength": [
        step("PostStaining", "saturated uranyl acetate", duration="5 min")
    ],
    "absolute ethanol has no number": [
        like(ETHANOL, ladder=ladder(50, 95), description="then absolute ethanol"),
        ACETONE,
        like(EPON, materials=EPON["materials"][:1]),
        CURE,
    ],
    "propylene oxide goes with ethanol": [
        ETHANOL,
        step("Infiltration", "Epon", "propylene oxide", ladder=ladder(50, 100)),
        CURE,
    ],
    "stages that hold": [
        like(
            SUBSTITUTE,
            temperature_program=[
                PROGRAM[0],
                {"start_temperature": "-20 °C", "end_temperature": "-20 °C", "duration": "9 h"},
            ],
        )
    ],
    "words of a text that only mention it": [
        {"type": "FreezeSubstitution", "spans": [{"span_start": 0, "span_end": 9}]}
    ],
    "fixation that goes on after a cut": [
        step("ChemicalFixation", "2 % | PFA"),
        step("Dissection"),
        step("ChemicalFixation", duration="2 h"),
    ],
    "a mixture named beside its parts": [
        step("PostFixation", "reduced osmium", "2 % | OsO4", duration="1 h")
    ],
    "buffer and water in one rinse": [FIX, step("Rinsing", "PB", "water"), UA],
    "a block with serum": [
        FIX,
        step("Incubation", "10 % | normal goat serum", duration="1 h"),
        step("ImmunoLabelling", "anti-GFP antibody", duration="1 h"),
    ],
    "silver on the label is no label": [FIX, step("ImmunoLabelling", "silver", duration="8 min")],
    "a rinse in the same sentence": [
        FIX,
        step("PostFixation", "1 % | OsO4", "PB", duration="1 h"),
        like(UA, description="after a rinse in water, 1% uranyl acetate"),
    ],
    "a gel is cured first": [
        step("OvenCuring", "4 % | acrylamide", **RT, duration="3 h"),
        EPON,
        CURE,
    ],
    "lead is not phosphate buffer": [step("PostStaining", "Pb citrate", duration="3 min")],
    "no uranyl in it": [step("PostStaining", "PBS", "UranyLess", duration="2 min")],
    "osmium that is rinsed away": [step("Rinsing", "osmium tetroxide")],
    "time in the second half": [step("ChemicalFixation", "2 % | PFA"), FIX],
    "nothing that is known": [step("Incubation", "moon dust", duration="1 h"), step("OtherStep")],
    "no steps": [],
}


@pytest.mark.parametrize("steps", ODD_BUT_RIGHT.values(), ids=ODD_BUT_RIGHT)
def test_silent_on_what_is_odd_but_right(steps):
    assert rules(*steps) == set()


def test_components_of_solutions_and_terms_are_known():
    mix = {
        "id": "mix",
        "type": "Solution",
        "name": "fixative 7",
        "components": [{"material": "ga", "concentration": "20 %"}],
    }
    ga = {"id": "ga", "type": "Reagent", "name": "pentanedial", "substance_term": "CHEBI:64276"}
    used = {"type": "ChemicalFixation", "materials": [{"material": "mix"}], "duration": "1 h"}
    data = long(used, reagents=[mix, ga])
    (problem,) = check_protocol(data["protocols"][0], data["reagents"])
    assert (problem.rule, problem.location) == ("L6-concentration", ("steps", 0, "materials", 0))
    assert "at most 8 % pentanedial; found 20 %" in problem.message
    by_id = {r["id"]: r for r in data["reagents"]}
    assert check_protocol(data["protocols"][0], by_id) == [problem]


def test_a_solution_that_contains_itself_ends():
    loop = {"id": "a", "type": "Solution", "name": "a", "components": [{"material": "b"}]}
    back = {"id": "b", "type": "Solution", "name": "b", "components": [{"material": "a"}]}
    used = {"type": "Rinsing", "materials": [{"material": "a"}]}
    assert rules(used, reagents=[loop, back]) == set()


def test_findings_of_a_protocol_are_in_layer_six(tmp_path):
    path = next(p for p in EXAMPLES if p.stem.startswith("sbf"))
    written = path.read_text(encoding="utf-8").replace(
        "resin: durcupan, temperature: 60 °C", "resin: durcupan, temperature: 160 °C"
    )
    faulty = tmp_path / "faulty.yaml"
    faulty.write_text(written, encoding="utf-8")
    (problem,) = validate(read_document(faulty)).problems
    assert problem.rule == "L6-curing-temperature"
    assert problem.location == ("protocols", 0, "steps", 10)


def test_half_broken_data_do_not_stop_the_rules():
    odd = [
        None,
        3,
        {"type": "Infiltration", "resin": {"a": 1}, "ladder": [None, {"duration": "x"}]},
    ]
    protocol = {
        "steps": [*odd, {"type": "OvenCuring", "temperature": 60, "materials": [None, "x"]}]
    }
    assert {p.rule for p in check_protocol(protocol, [None])} == {
        "L6-no-temperature",
        "L6-no-duration",
    }
    assert check_protocol({"steps": None}) == []
