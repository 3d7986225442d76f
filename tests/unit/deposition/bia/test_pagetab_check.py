"""Every rule for PageTab submissions has a seeded fault, and the submission without it is clean."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clemkit.deposition.bia.pagetab_check import check_pagetab, repaired_pagetab
from clemkit.deposition.bia.pagetab_rules import PAGETAB_RULES

_SPEC = importlib.util.spec_from_file_location("seeded", Path(__file__).with_name("seeded.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
seeded = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(seeded)
attribute, section, submission = seeded.attribute, seeded.section, seeded.submission

Data = dict[str, Any]


def part(data: Data, kind: str) -> Data:
    return next(s for s in data["section"]["subsections"] if s["type"] == kind)


def put(holder: Data, name: str, value: Any) -> None:
    for item in holder["attributes"]:
        if item["name"] == name:
            item["value"] = value
            return
    holder["attributes"].append(attribute(name, value))


def take(holder: Data, name: str) -> None:
    holder["attributes"] = [a for a in holder["attributes"] if a["name"] != name]


def with_value(kind: str, name: str, value: Any) -> Callable[[Data], None]:
    return lambda data: put(part(data, kind), name, value)


def without(kind: str, name: str) -> Callable[[Data], None]:
    return lambda data: take(part(data, kind), name)


def with_link(url: str, *items: Data) -> Callable[[Data], None]:
    link: Data = {"url": url}
    if items:
        link["attributes"] = list(items)
    return lambda data: data["section"]["links"].append(link)


def associated(name: str, value: Any) -> Callable[[Data], None]:
    return lambda data: put(part(data, "Study Component")["subsections"][0], name, value)


def beside(new: Data) -> Callable[[Data], None]:
    return lambda data: data["section"]["subsections"].append(new)


def nested(data: Data) -> None:
    rest = data["section"]["subsections"]
    moved = [s for s in rest if s["type"] in ("Biosample", "Specimen", "Image acquisition")]
    data["section"]["subsections"] = [s for s in rest if s not in moved]
    for one in moved:
        take(one, "Title")
    part(data, "Study Component")["subsections"] = moved


def split_text(data: Data) -> None:
    for text in ("three channels (IgG", "IgA", "IgM)"):
        part(data, "Biosample")["attributes"].append(attribute("Experimental variable", text))


def two_specimens(data: Data) -> None:
    data["section"]["subsections"].append(section("Specimen", "s2", Title="Section"))
    put(part(data, "Study Component")["subsections"][0], "Specimen", "Something else")


def torn_title(data: Data) -> None:
    put(part(data, "Specimen"), "Title", "Block, large, and cold")
    association = part(data, "Study Component")["subsections"][0]
    take(association, "Specimen")
    for text in ("Block", "large", "and cold"):
        association["attributes"].append(attribute("Specimen", text))


def no_organisation_accession(data: Data) -> None:
    del part(data, "organisation")["accno"]


def no_author(data: Data) -> None:
    data["section"]["subsections"] = [
        s for s in data["section"]["subsections"] if s["type"] != "author"
    ]


def nested_stub(data: Data) -> None:
    part(data, "Study Component")["subsections"].append(section("Image analysis", "ia-1"))
    data["section"]["subsections"].append(
        section("Image analysis", "ia-2", Title="Sizes", Image_analysis_overview="Measured")
    )


DOI = "10.1234/abc"
# rule, fault, value that the repair gives (None: nothing is repaired)
FAULTS: list[tuple[str, Callable[[Data], None], Any]] = [
    ("PT-doi", with_value("Publication", "DOI", f"https://doi.org/DOI: {DOI}"), DOI),
    ("PT-doi", with_value("Publication", "DOI", f"doi:{DOI}"), DOI),
    ("PT-doi", with_value("Publication", "DOI", f"{DOI}."), DOI),
    ("PT-doi", with_value("Publication", "DOI", f" {DOI}"), DOI),
    ("PT-doi", with_value("Publication", "DOI", f"https://onlinelibrary.wiley.com/doi/full/{DOI}"),
     f"https://doi.org/{DOI}"),
    ("PT-doi", with_value("Publication", "DOI", "https://www.nature.com/articles/s41598-024-1-2#a"),
     "https://doi.org/10.1038/s41598-024-1-2"),
    ("PT-doi", with_value("Publication", "DOI", "10.1101/2024.01.02.000003v2"),
     "10.1101/2024.01.02.000003"),
    ("PT-doi", with_value("Publication", "DOI", "https://www.cell.com/abc"), None),
    ("PT-doi", with_value("Publication", "DOI", ""), None),
    ("PT-doi-missing", without("Publication", "DOI"), None),
    ("PT-doi", with_link(f"doi: https://doi.org/{DOI}", attribute("Type", "DOI")), DOI),
    ("PT-link-type", with_link(f"doi.org/{DOI}"), DOI),
    ("PT-link-type", with_link(DOI), "doi"),
    ("PT-link-type", with_link("EMPIAR-10988"), "empiar"),
    ("PT-link-type", with_link("PXD012345"), "PRIDE"),
    ("PT-link-scheme", with_link("www.ebi.ac.uk/pride"), "https://www.ebi.ac.uk/pride"),
    ("PT-link-scheme", with_link("https//www.ebi.ac.uk"), "https://www.ebi.ac.uk"),
    ("PT-link-scheme", with_link("http:/www.ebi.ac.uk/a"), "http://www.ebi.ac.uk/a"),
    ("PT-link-type", with_link(DOI, attribute("Type", "")), "doi"),
    ("PT-link-empty", lambda d: d["section"]["links"].append({}), None),
    ("PT-link-meaningless", with_link("not applicable"), None),
    ("PT-link-meaningless", with_link("http://"), None),
    ("PT-link-meaningless", with_link("our code"), None),
    ("PT-link-meaningless", with_link("http://localhost/data"), None),
    ("PT-pubmed", with_value("Publication", "Pubmed ID", "PMID: 12345"), "12345"),
    ("PT-pubmed", with_value("Publication", "Pubmed ID", "PMC12345"), "PMC ID"),
    ("PT-pubmed", with_value("Publication", "Pubmed ID", "A title"), None),
    ("PT-pubmed", beside(section("Publication", Title="B", Pubmed_ID="doi:10.1234/b")),
     "10.1234/b"),
    ("PT-placeholder", with_value("Publication", "Pubmed ID", "pending"), None),
    ("PT-placeholder", with_value("author", "ORCID", "None"), None),
    ("PT-publication", beside(section("Publication", Pubmed_ID="pending")), None),
    ("PT-publication", without("Publication", "Title"), None),
    ("PT-email", with_value("author", "E-mail", "ada@example.org "), "ada@example.org"),
    ("PT-email", with_value("author", "E-mail", "ada (at) example.org"), "ada@example.org"),
    ("PT-email", with_value("author", "E-mail", "Ada <ada@example.org>"), "ada@example.org"),
    ("PT-email", with_value("author", "E-mail", "ada@example,org"), "ada@example.org"),
    ("PT-email", with_value("author", "E-mail", "mailto:ada@example.org"), "ada@example.org"),
    ("PT-email", with_value("author", "E-mail", "ada@example"), None),
    ("PT-email", with_value("author", "E-mail", "ada.example.org"), None),
    ("PT-email", with_value("author", "E-mail", "a@example.org; b@example.org"), None),
    ("PT-email", with_value("author", "E-mail", "n/a"), None),
    ("PT-orcid", with_value("author", "ORCID", "0000-0002-1825-0098"), None),
    ("PT-spaces", with_value("author", "ORCID", "0000-0002-1825-0097 "), "0000-0002-1825-0097"),
    ("PT-author-name", without("author", "Name"), None),
    ("PT-author-none", no_author, None),
    ("PT-licence", lambda d: put(d["section"], "License", "CC-BY 4.0"), "CC BY 4.0"),
    ("PT-licence", lambda d: put(d["section"], "License", "cc0 1.0 Universal"), "CC0"),
    ("PT-licence", lambda d: put(d["section"], "License", "CC BY"), None),
    ("PT-date", lambda d: put(d, "ReleaseDate", "01.03.2027"), None),
    ("PT-taxon", lambda d: put(part(d, "Biosample")["subsections"][0], "NCBI taxon ID", "human"),
     None),
    ("PT-method-term", lambda d: put(
        part(d, "Image acquisition")["subsections"][0], "Ontology Term ID", "confocal"), None),
    ("PT-text-split", split_text, "three channels (IgG, IgA, IgM)"),
    ("PT-affiliation", no_organisation_accession, "o1"),
    ("PT-affiliation", with_value("author", "affiliation", "Example Institute"), "o1"),
    ("PT-affiliation", with_value("author", "affiliation", "o2"), None),
    ("PT-association-dangling", associated("Specimen", "block "), "Block"),
    ("PT-association-dangling", associated("Biosample", "Another sample"), "Cells"),
    ("PT-association-dangling", two_specimens, None),
    ("PT-title-missing", without("Specimen", "Title"), None),
    ("PT-association-dangling", without("Specimen", "Title"), "Block"),
    ("PT-reference", lambda d: part(d, "Biosample")["attributes"].append(
        attribute("Source", "b7", reference=True)), None),
    ("PT-link-scheme", lambda d: d["section"]["links"].append([{"url": "www.ebi.ac.uk"}]),
     "https://www.ebi.ac.uk"),
    # the longer of two titles stays
    ("PT-association-dangling", with_value("Specimen", "Title", "Block. See the paper."),
     "Block. See the paper."),
    ("PT-association-dangling", associated("Specimen", "Block. See the paper."),
     "Block. See the paper."),
    ("PT-association-dangling", torn_title, "Block, large, and cold"),
    ("PT-association-incomplete", lambda d: take(
        part(d, "Study Component")["subsections"][0], "Specimen"), "Block"),
    ("PT-association-missing", lambda d: part(d, "Study Component").pop("subsections"), "Block"),
    ("PT-nested", nested, "Biosample"),
    ("PT-section-empty", nested_stub, "Sizes"),
    ("PT-section-type", beside(section("Biosampel", Title="x")), None),
    ("PT-accession-duplicate", beside(section("Funding", "o1", Agency="x", grant_id="1")), None),
    ("PT-title-repeated", beside(section("Specimen", "s2", Title="Block")), None),
    ("PT-unused", beside(section("Specimen", "s2", Title="Other block")), None),
    ("PT-form", lambda d: part(d, "Biosample").update(links="x"), None),
    ("PT-form", lambda d: part(d, "Biosample")["attributes"].append("x"), None),
    ("PT-form", lambda d: part(d, "Biosample")["attributes"].append({"value": "x"}), None),
    ("PT-file-list", without("Study Component", "File List"), None),
]  # fmt: skip


def values(thing: Any) -> set[str]:
    if isinstance(thing, dict):
        return {v for item in thing.values() for v in values(item)}
    if isinstance(thing, list):
        return {v for item in thing for v in values(item)}
    return {str(thing)}


def test_a_submission_without_faults_is_clean():
    assert check_pagetab(submission()) == ()


@pytest.mark.parametrize(("rule", "fault", "wanted"), FAULTS)
def test_a_seeded_fault_is_found_and_repaired_where_nothing_is_lost(
    rule: str, fault: Callable[[Data], None], wanted: str | None
):
    data = submission()
    fault(data)
    before = submission()
    fault(before)
    found = check_pagetab(data)
    assert rule in {f.problem.rule for f in found}
    new, done = repaired_pagetab(data)
    assert data == before, "a repair changes a copy"
    if wanted is None:
        return
    assert rule in {f.problem.rule for f in done}
    assert rule not in {f.problem.rule for f in check_pagetab(new)}
    assert wanted in values(new)


def test_every_rule_is_seeded():
    assert {rule for rule, _, _ in FAULTS} == set(PAGETAB_RULES)


def test_a_message_says_what_was_found_and_what_to_do():
    data = submission()
    put(part(data, "author"), "E-mail", "ada@example,org")
    ((problem),) = [f.problem for f in check_pagetab(data)]
    assert problem.message == "expected one e-mail address; found 'ada@example,org'"
    assert problem.hint == "write ada@example.org"
    assert problem.location[:2] == ("section", "subsections")


def test_a_list_of_variables_is_no_split_text():
    data = submission()
    for text in ("dose (mg)", "time", "temperature"):
        part(data, "Biosample")["attributes"].append(attribute("Experimental variable", text))
    assert check_pagetab(data) == ()
