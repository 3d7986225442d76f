"""Names of protocols find their terms; ambiguous ones are reported, unknown ones stay unknown."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from clemkit.metadata.model_map import model_map
from clemkit.metadata.models import build
from clemkit.metadata.protocols.grounding import (
    find_instruments,
    find_materials,
    find_processes,
    ground,
    ground_instrument,
    ground_process,
    instrument_entry,
    material_entry,
    specimen_state,
)
from clemkit.metadata.protocols.lexicon import lexicon
from clemkit.metadata.validate.check_digits import cas_check_digit
from clemkit.metadata.validate.terms import pinned_terms

ROOT = Path(__file__).parents[4]
# the names of the widget's form that its copy in the shared folder lacks
LATER_NAMES = {"ddH2O", "Quetol 651", "Tween20"}
EXPECTED = {
    "Acetone": "CHEBI:15347", "Acrolein": "CHEBI:15368", "Araldite 502": "mesh:C005752",
    "Aspartic acid": "CHEBI:22660", "BDMA": "mesh:C045966", "Calcium Chloride": "CHEBI:3312",
    "ddH2O": "CHEBI:15377", "DDSA": None, "DER 736": None,
    "Dimethylaminoethanol (DMAE)": "CHEBI:271436", "DMP-30": "mesh:C079270",
    "Durcupan": "mesh:C025599", "EDTA": "CHEBI:4735", "EGTA": "CHEBI:30740", "Embed 812": None,
    "Epon": "mesh:C004875", "Epon-Araldite": "mesh:D004853", "ERL 4221": None,
    "ERL 4206": "mesh:C053660", "Ethanol": "CHEBI:16236", "Glutaraldehyde": "CHEBI:64276",
    "HEPES": "CHEBI:46756", "Lead Acetate": "CHEBI:31767", "Lead Aspartate": None,
    "Lead Citrate": None, "Lead Nitrate": "CHEBI:37187", "Lowicryl HM20": "mesh:C070811",
    "Lowicryl HM23": "mesh:C050065", "Lowicryl K11M": "mesh:C050066",
    "Lowicryl K4M": "mesh:C037883", "LR Gold": "mesh:C056756", "LR White": "mesh:C048707",
    "Magnesium Chloride": "CHEBI:6636", "Magnesium Sulphate": "CHEBI:32599",
    "Malachite Green": "CHEBI:72449", "NMA": None, "Osmium Tetroxide": "CHEBI:88215",
    "Paraformaldehyde": "CHEBI:31962", "PIPES": "CHEBI:39033", "PolyBed": "mesh:C025222",
    "Potassium Chloride": "CHEBI:32588", "Potassium ferricyanide": "CHEBI:30060",
    "Potassium ferrocyanide": "CHEBI:30059", "Potassium permanganate": "mesh:D011196",
    "Potassium Phosphate": None, "Propylene oxide": "CHEBI:38685", "Quetol 651": "mesh:C035364",
    "Resin": None, "Ruthenium Red": "CHEBI:34956", "Sodium cacodylate": "CHEBI:62956",
    "Sodium Chloride": "CHEBI:26710", "Sodium Phosphate (dibasic)": "CHEBI:34683",
    "Sodium Phosphate (monobasic)": "CHEBI:37585", "Spurrs": "mesh:C048709",
    "Sucrose": "CHEBI:17992", "Tannic acid": "CHEBI:75211", "Thiocarbohydrazide": "CHEBI:9549",
    "Tween20": "CHEBI:53424", "Uranyl Acetate": "mesh:C005460",
}  # fmt: skip


def public(term: str | None) -> str | None:
    return term if term and not term.startswith("clemkit:") else None


def test_the_names_of_the_widget_are_grounded():
    assert len(EXPECTED) == 59
    found = {name: public(ground(name).term_id) for name in EXPECTED}
    assert found == EXPECTED
    assert sum(term is not None for term in found.values()) >= 50
    exact = [name for name in EXPECTED if ground(name).match in ("exact", "close")]
    assert len(exact) == 49  # Epon-Araldite has only the class of both resins


def test_the_names_are_those_of_the_widget(shared_data):
    form = shared_data.parent / "meta" / "empiar-spw" / "workFlowForm.json"
    if not form.is_file():
        pytest.skip(f"form of the widget absent: {form}")
    options = json.loads(form.read_text(encoding="utf-8"))["controlsinfo"]["medium"]["options"]
    assert {*options, *LATER_NAMES} - {"NA"} == set(EXPECTED)


def test_names_without_a_public_term_are_local_or_ambiguous():
    without = {name: ground(name).match for name, term in EXPECTED.items() if term is None}
    assert without == {
        "DDSA": "local", "DER 736": "local", "Embed 812": "local", "ERL 4221": "local",
        "Lead Aspartate": "local", "Lead Citrate": "local", "NMA": "local",
        "Potassium Phosphate": "ambiguous", "Resin": "ambiguous",
    }  # fmt: skip


def rows_with_terms():
    for table in ("materials", "solutions", "instruments", "processes", "states"):
        for row in lexicon()[table]:
            yield table, row


def test_every_term_is_pinned_with_that_label():
    count = 0
    for table, row in rows_with_terms():
        if row["match"] == "local":
            assert row["term"].startswith("clemkit:")
            continue
        entry = pinned_terms()[row["term"]]
        assert (entry["label"], entry.get("status")) == (row["term_label"], None), row
        count += 1
        if table in ("materials", "solutions"):
            assert entry["branch"] == "reagent", row
    assert count > 150


def test_every_verified_term_of_a_reagent_is_used():
    used = {t for _, row in rows_with_terms() for t in (row["term"], *row.get("broader", ()))}
    reagents = {t for t, e in pinned_terms().items() if e["branch"] == "reagent"}
    assert reagents - used <= {"CHEBI:49807"}  # the bare ion of lead


def test_local_terms_are_proposed():
    with (ROOT / "ontology" / "proposed-terms.tsv").open(encoding="utf-8", newline="") as stream:
        proposed = {r["curie"]: r for r in csv.DictReader(stream, delimiter="\t")}
    for table in ("materials", "solutions"):
        for row in lexicon()[table]:
            if row["match"] == "local":
                assert proposed[row["term"]]["label"] == row["name"]
                assert proposed[row["term"]]["definition"].endswith(".")


def test_local_terms_of_processes_are_step_classes_or_proposed():
    with (ROOT / "ontology" / "proposed-terms.tsv").open(encoding="utf-8", newline="") as stream:
        proposed = {r["curie"] for r in csv.DictReader(stream, delimiter="\t")}
    classes = {f"clemkit:{name}" for name in model_map()["classes"]}
    local = {r["term"] for r in lexicon()["processes"] if r["match"] == "local"}
    assert local <= proposed | classes


def test_cas_numbers_have_their_check_digit():
    numbers = [row["cas"] for row in lexicon()["materials"] if "cas" in row]
    assert len(numbers) > 60
    assert [n for n in numbers if cas_check_digit(n[:-2].replace("-", "")) != n[-1]] == []


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("GA", "glutaraldehyde"), ("PFA", "paraformaldehyde"), ("pfa", "paraformaldehyde"),
        ("FA", "formaldehyde"), ("OsO4", "osmium tetroxide"), ("OsO₄", "osmium tetroxide"),
        ("TCH", "thiocarbohydrazide"), ("UA", "uranyl acetate"), ("UAc", "uranyl acetate"),
        ("K4[Fe(CN)6]", "potassium ferrocyanide"), ("K₄[Fe(CN)₆]", "potassium ferrocyanide"),
        ("K3Fe(CN)6", "potassium ferricyanide"), ("rOTO", "reduced osmium tetroxide"),
        ("NaCac", "sodium cacodylate"), ("CB", "cacodylate buffer"),
        ("PBS", "phosphate-buffered saline"), ("EtOH", "ethanol"), ("etoh", "ethanol"),
        ("MeOH", "methanol"), ("MNA", "NMA"), ("methyl nadic anhydride", "NMA"),
        ("LX-112", "LX-112"), ("LRWhite", "LR White"), ("HM20", "Lowicryl HM20"),
        ("HM-20", "Lowicryl HM20"), ("K4M", "Lowicryl K4M"), ("Poly/Bed 812", "Poly/Bed 812"),
        ("Hard Plus resin", "Hard-Plus"), ("MS-222", "tricaine"), ("LN2", "liquid nitrogen"),
        ("DAB", "3,3'-diaminobenzidine"), ("3,3′-diaminobenzidine", "3,3'-diaminobenzidine"),
        ("BSA", "bovine serum albumin"), ("FSG", "fish skin gelatin"),
        ("FBS", "fetal bovine serum"), ("PBST", "phosphate-buffered saline with Tween 20"),
        ("Walton’s lead aspartate", "Walton's lead aspartate"), ("Tween-20", "Tween 20"),
        ("Reynolds' lead citrate", "lead citrate"), ("Karnovsky", "Karnovsky's fixative"),
        ("anhydrous acetone", "acetone"), ("EM grade glutaraldehyde", "glutaraldehyde"),
        ("glutaraldehyde (GA)", "glutaraldehyde"), ("MilliQ water", "water"),
        ("Aceton", "acetone"), ("Alexa 488", "Alexa Fluor 488"), ("PAG", "protein A-gold"),
        ("2% OsO4", "osmium tetroxide"), ("0.1 M sodium cacodylate buffer", "cacodylate buffer"),
        ("2.5 % (v/v) glutaraldehyde", "glutaraldehyde"),
        ("10 nm protein A gold", "protein A-gold"),
        ("protein A gold (10 nm)", "protein A-gold"),
        ("1-hexadecene", "1-hexadecene"), ("PHEM", "PHEM buffer"), ("PVP", "polyvinylpyrrolidone"),
    ],
)  # fmt: skip
def test_other_spellings(name, canonical):
    found = ground(name)
    assert found.canonical == canonical
    assert found.is_known


@pytest.mark.parametrize(
    "name",
    [
        "osmium trioxide", "glutaraldehydrate", "Lowicryl HM21", "K5M", "uranyl citrate",
        "LR Black",
        "ga", "ua", "sodium cacodylite", "DMP-31", "Epon 8122", "PFB", "water bath", "", "  ", "%",
        "tetroxide", "polysorbate 80", "Tween 80", "lead", "acid", "PA", "AB", "Ac",
    ],
)  # fmt: skip
def test_nothing_is_guessed(name):
    found = ground(name)
    assert not found.is_known
    assert found.term_id is None


def test_ambiguity_is_reported():
    ferro = ground("KFeCN")
    assert ferro.match == "ambiguous"
    assert ferro.candidates == ("potassium ferrocyanide", "potassium ferricyanide")
    assert "Taken as potassium ferrocyanide" in ferro.note
    assert ground("KFeCN", context="1.5 % potassium ferricyanide").canonical == (
        "potassium ferricyanide"
    )
    buffer = ground("PB")
    assert (buffer.match, buffer.canonical) == ("ambiguous", "phosphate buffer")
    told = ground("PB", context="rinsed in 0.1 M, pH 7.4")
    assert (told.match, told.canonical) == ("local", "phosphate buffer")
    assert "its context tells phosphate buffer" in told.note
    assert ground("PB", context="the weather is fine").match == "ambiguous"
    two = ground("acetone (EtOH)")
    assert two.match == "ambiguous"
    assert two.candidates == ("acetone", "ethanol")


def test_materials_in_a_text():
    text = (
        "Cells were fixed in 2.5% GA/4 % PFA in 0.1 M PB (pH 7.4), leading to a gold standard, "
        "post\u2010fixed with 1\u202f% OsO₄ + 1.5 % K₄[Fe(CN)₆], washed in a water bath with "
        "ddH2O, stained with Walton\u2019s lead aspartate and 2%UA, dehydrated in EtOHs and put "
        "in Epon-812 resin after Karnovsky et al. and ZPBS-GA2. Long after, as the authors of the "
        "first of these articles said to us, one more resin came."
    )
    found = find_materials(text)
    assert [(m.verbatim, m.canonical) for m in found] == [
        ("GA", "glutaraldehyde"),
        ("PFA", "paraformaldehyde"),
        ("PB", "phosphate buffer"),
        ("OsO₄", "osmium tetroxide"),
        ("K₄[Fe(CN)₆]", "potassium ferrocyanide"),
        ("ddH2O", "water"),
        ("Walton\u2019s lead aspartate", "Walton's lead aspartate"),
        ("UA", "uranyl acetate"),
        ("EtOHs", "ethanol"),
        ("Epon-812 resin", "Epon"),
        ("resin", "resin"),
    ]
    assert all(text[m.start : m.end] == m.verbatim for m in found)
    assert [m.verbatim for m in found if m.ambiguous] == ["resin"]


def test_an_abbreviation_keeps_its_case_in_a_text():
    assert find_materials("it was cut at an ua of tch, for ga and pa") == []


def test_instruments_and_processes_in_a_text():
    text = "frozen in a Leica EM ICE, freeze-substituted in an AFS2, cut on a UC7 ultramicrotome"
    assert [m.canonical for m in find_instruments(text)] == [
        "Leica EM ICE", "Leica EM AFS2", "Leica EM UC7",
    ]  # fmt: skip
    assert [m.canonical for m in find_processes(text)] == ["freezing", "freeze substitution"]
    ice = ground_instrument("Bal - Tec HPM 010")
    assert (ice.canonical, ice.role) == ("BAL-TEC HPM 010", "high_pressure_freezer")
    assert instrument_entry(ground_instrument("UC7"), "utm") == {
        "id": "utm",
        "name": "Leica EM UC7",
        "instrument_kind": "microtome",
        "instrument_term": {"term": "OBI:0400168", "term_label": "microtome"},
        "manufacturer": "Leica Microsystems",
        "model_name": "EM UC7",
    }
    assert ground_process("rinsed").term_id == "OBI:0302888"
    assert ground_instrument("toaster").match == "unknown"


def test_specimen_states():
    assert specimen_state("freeze-substituted") == (
        "freeze_substituted", "FBbi:00000621", "freeze-substituted tissue",
    )  # fmt: skip
    assert specimen_state("boiled") is None


def test_entries_are_of_the_model():
    names = ["OsO4", "Karnovsky", "Walton's", "primary antibody", "KFeCN", "moon dust", "resin"]
    entries = [material_entry(ground(n), f"m{i}") for i, n in enumerate(names)]
    experiment = build({"id": "x", "name": "x", "reagents": entries})
    assert [type(m).__name__ for m in experiment.reagents] == [
        "Reagent", "Solution", "Solution", "Antibody", "Reagent", "Reagent", "Reagent",
    ]  # fmt: skip
    osmium, karnovsky, walton, _, ferro, dust, resin = entries
    assert osmium["substance_term"] == {"term": "CHEBI:88215", "term_label": "osmium tetroxide"}
    assert (osmium["cas_number"], osmium["formula"]) == ("20816-12-0", "OsO4")
    assert not any("concentration" in part for part in karnovsky["components"])
    first = ground("Karnovsky").components[0]
    assert (first.name, first.concentration["value"]) == ("paraformaldehyde", 4)
    assert "must come from the source" in karnovsky["notes"]
    lead = walton["components"][0]
    assert lead["material_name"] == "lead nitrate"
    assert lead["concentration"]["is_interpretation"] is True
    assert (lead["concentration"]["value"], lead["concentration"]["unit"]) == (20, "mM")
    assert "Ambiguous: potassium ferrocyanide, potassium ferricyanide." in ferro["notes"]
    assert dust == {"id": "m5", "type": "Reagent", "name": "moon dust"}
    assert "substance_term" not in resin
    assert "components" not in material_entry(ground("PBS"), "x", recipe=False)


def test_all_entries_pass_the_checks_of_terms():
    from clemkit.metadata.validate.terms import check_terms
    from clemkit.metadata.validate.walk import things

    rows = [*lexicon()["materials"], *lexicon()["solutions"]]
    entries = [material_entry(ground(r["name"]), f"m{i}") for i, r in enumerate(rows)]
    assert [e["name"] for e in entries] == [r["name"] for r in rows]
    assert check_terms(list(things({"id": "x", "name": "x", "reagents": entries}))) == []


def test_spellings_are_words():
    for _, row in rows_with_terms():
        for text in (*row.get("names", ()), *row.get("abbreviations", ())):
            assert text == text.strip()
            assert re.search(r"\w", text), row


def test_antibodies_are_named_by_what_they_bind():
    text = (
        "rabbit anti-GFP (1:200), goat anti-mouse IgG, an anti-roll plate, anti-tubulin antibodies"
    )
    found = find_materials(text)
    assert [(m.verbatim, m.canonical) for m in found] == [
        ("rabbit anti-GFP", "anti-GFP antibody"),
        ("goat anti-mouse IgG", "anti-mouse antibody"),
        ("anti-tubulin antibodies", "anti-tubulin antibody"),
    ]
    assert {m.kind for m in found} == {"antibody"}
    assert ground("rabbit anti-GFP").term_id == "clemkit:primary_antibody"
    assert ground("goat anti-mouse IgG").term_id == "clemkit:secondary_antibody"
    entry = material_entry(ground("rabbit polyclonal anti-GFP"), "ab")
    assert (entry["antibody_target"], entry["host_species"]) == ("GFP", "rabbit")
    assert entry["clonality"] == "polyclonal"


def test_a_name_ends_at_an_empty_line():
    text = "## Lead\n\nCitrate was made; osmium\ntetroxide too"
    assert [m.canonical for m in find_materials(text)] == ["osmium tetroxide"]
