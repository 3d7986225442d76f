from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from clemkit.deposition.imaging_methods import (
    BROADER_TERMS,
    acquisition_class,
    method_named,
    method_terms,
    method_words,
    own_term,
)

ONTOLOGY = Path(__file__).parents[3] / "ontology" / "acquisition.yaml"


def declared() -> dict[str, dict[str, object]]:
    content = yaml.safe_load(ONTOLOGY.read_text(encoding="utf-8"))
    values: dict[str, dict[str, object]] = content["enums"]["ImagingMethod"]["permissible_values"]
    return values


def test_broader_terms_are_those_of_the_ontology():
    broad = {
        name: value["broad_mappings"]
        for name, value in declared().items()
        if "broad_mappings" in value and not str(value["meaning"]).startswith("FBbi:")
    }
    assert set(BROADER_TERMS) == set(broad)
    assert all(BROADER_TERMS[name] in terms for name, terms in broad.items())


@pytest.mark.parametrize("name", sorted(declared()))
def test_a_method_is_found_again_by_its_words_and_its_term(name: str):
    assert method_named(method_words(name)) == name
    if own := own_term(name):
        assert method_named(own) == name
        assert method_named(own.replace("FBbi:", "http://purl.obolibrary.org/obo/FBbi_")) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("FIB-SEM", "fib_sem"),
        ("Serial block face SEM (SBF-SEM)", "sbf_sem"),
        ("Confocal microscopy", "confocal"),
        ("SPIM", "light_sheet"),
        ("FLIP", None),
    ],
)
def test_spellings_of_submissions(text: str, name: str | None):
    assert method_named(text) == name


def test_terms_of_an_acquisition():
    terms = [{"term": "FBbi:00000332", "term_label": "SIM"}, {"term": "CHMO:0000103"}]
    found = method_terms({"imaging_method": "atum_sem", "imaging_method_terms": terms})
    assert found == [
        ("scanning electron microscopy (SEM)", "FBbi:00000257"),
        ("SIM", "FBbi:00000332"),
    ]
    assert method_terms({"imaging_method": "other_method"}) == []


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("plasma_fib_sem", "FibSemAcquisition"),
        ("sted", "LightAcquisition"),
        ("nano_ct", "XrayAcquisition"),
        ("ss_et", "ElectronTomographyAcquisition"),
        ("other_method", "OtherAcquisition"),
    ],
)
def test_the_class_of_an_acquisition(method: str, name: str):
    assert acquisition_class(method) == name
