"""Sentences to steps: classes, splits, series, programmes, what the fields hold."""

from __future__ import annotations

import pytest

from clemkit.metadata.protocols.text import read_text


def steps(text):
    return [
        s for s in read_text(text, name="x").data["protocols"][0]["steps"]
        if s["type"] != "UnparsedStep"
    ]  # fmt: skip


def names(text):
    return [s["type"] for s in steps(text)]


def uses(step):
    """Words of each material with its concentration or ratio."""
    return {
        m["material_name"]: m.get("concentration", {}).get("value", m.get("stage_ratio"))
        for m in step.get("materials", ())
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mice were anaesthetised with isoflurane.", "Anaesthesia"),
        ("Rats were perfused with 4% PFA in PB.", "Perfusion"),
        ("Brains were dissected out.", "Dissection"),
        ("Cells were grown on coverslips in DMEM.", "CellCulture"),
        ("Cells were fixed in 2% glutaraldehyde for 1 h.", "ChemicalFixation"),
        ("Tissue was post-fixed in 1% OsO4 for 1 h.", "PostFixation"),
        ("Tissue was incubated in 1% thiocarbohydrazide for 20 min.", "EnBlocStaining"),
        ("Samples were rinsed in water.", "Rinsing"),
        ("Cells were quenched with 20 mM glycine.", "Quenching"),
        ("Free aldehydes were blocked with 50 mM NH4Cl for 10 min.", "Quenching"),
        ("Cells were blocked in 1% BSA for 30 min.", "Incubation"),
        ("Cells were permeabilised with 0.1% saponin.", "Incubation"),
        ("Cells were incubated with rabbit anti-GFP (1:200) for 1 h.", "ImmunoLabelling"),
        ("Grids were incubated on protein A-gold for 20 min.", "ImmunoLabelling"),
        ("Nuclei were stained with Hoechst for 5 min.", "FluorescentLabelling"),
        ("Cells were incubated in 0.5 mg/ml DAB and 10 mM H2O2 for 5 min.", "DabReaction"),
        ("Slices were high-pressure frozen in a HPM100 at 2100 bar.", "HighPressureFreezing"),
        ("Grids were plunge-frozen in liquid ethane.", "PlungeFreezing"),
        ("Freeze substitution was done in 0.1% UA in acetone at −90 °C.", "FreezeSubstitution"),
        ("Samples were dehydrated in 50, 70 and 100% ethanol.", "Dehydration"),
        ("Samples were infiltrated with Epon overnight.", "Infiltration"),
        ("Resin was polymerised at 60 °C for 48 h.", "OvenCuring"),
        ("HM20 was polymerised under UV at −45 °C for 48 h.", "UvPolymerization"),
        ("Samples were critical point dried.", "CriticalPointDrying"),
        ("Blocks were mounted on pins with silver epoxy.", "Mounting"),
        ("Blocks were trimmed with a razor blade.", "Trimming"),
        ("Sections of 70 nm were cut with a diamond knife.", "Sectioning"),
        ("Sections were collected on slot grids.", "SectionCollection"),
        ("Blocks were sputter-coated with 10 nm of gold.", "Coating"),
        ("Lamellae were milled with a gallium ion beam at 50 pA.", "CryoFibMilling"),
        ("Fiducial beads were applied to the grids.", "FiducialApplication"),
        ("Blocks were stored at 4 °C.", "Storage"),
        ("Cells were scraped and centrifuged at 500 g for 5 min.", "OtherStep"),
    ],
)
def test_classes(text, expected):
    assert names(text) == [expected]


SENTENCE = (
    "Cells were fixed in 2% glutaraldehyde in 0.1 M cacodylate buffer for 1 h, washed 3 × 10 min, "
    "postfixed in 1% OsO4 for 30 min, dehydrated in a graded series of ethanol (50, 70, 90, 100%) "
    "and embedded in Epon."
)


def test_one_sentence_with_several_treatments():
    assert names(SENTENCE) == [
        "ChemicalFixation", "Rinsing", "PostFixation", "Dehydration", "Infiltration",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("After rinsing in water (3 × 5 min), tissue was placed in 1% UA for 1 h.",
         ["Rinsing", "EnBlocStaining"]),
        ("Cells were fixed in 2% GA for 1 h, followed by three washes in PBS.",
         ["ChemicalFixation", "Rinsing"]),
        ("Tissue was washed three times in PBS and twice in water.", ["Rinsing", "Rinsing"]),
        ("Dehydrated in 50, 70, 100% ethanol, followed by propylene oxide (2 × 10 min).",
         ["Dehydration", "Dehydration"]),
        ("1 % OsO4 1 h -> H2O 3 x 5 min -> 1 % UA o/n",
         ["PostFixation", "Rinsing", "EnBlocStaining"]),
        ("Infiltrate with 50% Epon for 2 h. Then pure Epon overnight was used for infiltration.",
         ["Infiltration"]),
        ("Embedded in fresh Epon and polymerised at 60 °C for 2 d.", ["OvenCuring"]),
        ("UA 2% 15', wash H2O, Reynolds lead citrate 8'",
         ["EnBlocStaining", "Rinsing", "PostStaining"]),
        ("Fixed cells were washed in PBS.", ["Rinsing"]),
        ("Wash. Water, 2 × 30 min.", ["Rinsing"]),
        ("Sections (70 nm) were cut, collected on grids and stained with 2% UA for 10 min.",
         ["Sectioning", "SectionCollection", "PostStaining"]),
    ],
)  # fmt: skip
def test_splits_and_series(text, expected):
    assert names(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Images were acquired at 120 kV.",
        "The solution was prepared by dissolving 1 g of lead nitrate in water.",
        "All steps were done in a fume hood.",
        "No post-staining was applied.",
        "Staining followed published protocols (Deerinck et al., 2010).",
        "Sample preparation for TEM.",
    ],
)
def test_what_is_no_step(text):
    assert names(text) == []


def test_osmium_after_thiocarbohydrazide_is_staining():
    text = "1% OsO4 for 1 h. 1% TCH for 20 min. 2% OsO4 for 30 min. Stained with 1% UA overnight."
    assert names(text) == ["PostFixation", "EnBlocStaining", "EnBlocStaining", "EnBlocStaining"]


def test_materials_and_their_concentrations():
    text = (
        "Tissue was postfixed in 2 % OsO4 and 1.5 % potassium ferrocyanide in 0.1 M cacodylate "
        "buffer pH 7.4 for 1 h at RT."
    )
    (step,) = steps(text)
    assert uses(step) == {"OsO4": 2.0, "potassium ferrocyanide": 1.5, "cacodylate buffer": 0.1}
    assert step["step_ph"] == 7.4
    assert step["temperature"]["is_interpretation"] is True
    fields = {s.get("span_field"): s["verbatim"] for s in step["spans"]}
    assert (fields["duration"], fields["temperature"], fields["step_ph"]) == ("1 h", "RT", "pH 7.4")
    reagents = read_text(text, name="x").data["reagents"]
    assert [r["substance_term"]["term"] for r in reagents[:2]] == ["CHEBI:88215", "CHEBI:30059"]


def test_a_bare_buffer_is_the_one_before():
    text = "Fixed in 2% GA in 0.1 M PHEM for 1 h. Washed in the same buffer (3 × 5 min)."
    wash = steps(text)[1]
    (use,) = wash["materials"]
    assert use["material"] == steps(text)[0]["materials"][1]["material"]
    assert use["spans"][0]["rule_name"] == "carry-over"
    assert use["spans"][0]["is_interpretation"] is True


def test_ladder():
    (step,) = steps("Dehydrated in 50, 70 % ethanol (5 min each) and 100 % (2 × 10 min).")
    ladder = [
        (s["stage_concentration"]["value"], s["duration"]["value"], s.get("repeats"))
        for s in step["ladder"]
    ]
    assert ladder == [(50.0, 5.0, None), (70.0, 5.0, None), (100.0, 10.0, 2)]


def test_ladder_of_ratios():
    (step,) = steps("Infiltrated with Epon:acetone 1+3 for 4 h, 1:1 overnight, pure Epon 2 × 3 h.")
    assert [s.get("stage_ratio") for s in step["ladder"]] == ["1:3", "1:1", None]
    assert step["ladder"][2]["repeats"] == 2


def test_temperature_programme():
    (step,) = steps(
        "Freeze substitution: 0.1% UA in acetone at −90 °C for 72 h, "
        "warmed to −20 °C at 5 °C/h, kept for 5 h."
    )
    first, second, *_ = step["temperature_program"]
    assert first["start_temperature"]["value"] == first["end_temperature"]["value"] == -90.0
    assert (second["end_temperature"]["value"], second["ramp_rate"]["value"]) == (-20.0, 5.0)


def test_microwave():
    (step,) = steps(
        "Fixed in 2% GA, microwave (100 W, 2 min on, 1 min off, 3 cycles, under vacuum)."
    )
    wave = step["microwave"]
    assert wave["microwave_power"]["value"] == 100.0
    assert (wave["microwave_on_time"]["value"], wave["microwave_off_time"]["value"]) == (2.0, 1.0)
    assert wave["microwave_cycles"] == 3
    assert step["vacuum"] is True


def test_sections_and_coats():
    (cut,) = steps("Sections of 60-80 nm were cut with a diamond knife at 0.6 mm/s.")
    assert (cut["target_thickness"]["minimum"], cut["knife"]) == (60.0, "diamond knife")
    assert cut["cutting_speed"]["value"] == 0.6
    (coat,) = steps("Blocks were coated with 10 nm of platinum.")
    assert coat["target_thickness"]["value"] == 10.0
    assert uses(coat) == {"platinum": None}


def test_plunging():
    (step,) = steps(
        "Grids were blotted for 3 s at 22 °C and 95% humidity "
        "and plunged into liquid ethane at −180 °C."
    )
    assert step["blot_duration"]["value"] == 3.0
    assert step["chamber_humidity"]["value"] == 95.0
    assert step["chamber_temperature"]["value"] == 22.0
    assert step["cryogen_temperature"]["value"] == -180.0


def test_marks_of_a_step():
    (step,) = steps("Samples can be stored in PBS at 4 °C for 1 week (pause point).")
    assert step["is_pause_point"] is True
    (step,) = steps("Optional: stain with 1% tannic acid for 10 min in the dark.")
    assert (step["is_optional"], step["light_conditions"]) == (True, "in the dark")


def test_headings_and_remarks_are_kept_word_for_word():
    text = "# Day 1\n\nNote: work in the hood.\n\n1. Fix in 2% GA, 1 h.\n"
    found = read_text(text, name="x").data["protocols"][0]["steps"]
    assert [(s["type"], s.get("unparsed_text")) for s in found] == [
        ("UnparsedStep", "# Day 1"),
        ("UnparsedStep", "Note: work in the hood."),
        ("ChemicalFixation", None),
    ]
    assert found[2]["step_label"] == "1"


def test_lists_of_reagents_are_no_steps():
    text = "## Reagents\n- OsO4 4%\n- Epon kit\n\n## Procedure\n1. Fix in 2% GA, 1 h.\n"
    assert names(text) == ["ChemicalFixation"]


def test_findings():
    reading = read_text("Stained with 2% xyzzyol for 5 min. Krumble the frobs.", name="x")
    rules = {p.rule for p in reading.findings}
    assert "protocol-unparsed" in rules
    ambiguous = read_text("Stained with 1% TA for 10 min.", name="x")
    assert [p.rule for p in ambiguous.findings] == ["protocol-ambiguous-material"]
    assert "tannic acid" in ambiguous.findings[0].message
