"""Values of a PageTab submission: identifiers, people, papers, links, licences, split texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from clemkit.deposition.bia.identifiers import (
    LICENCES,
    accession_type,
    address_meant,
    bare_doi,
    email_meant,
    is_doi,
    is_email,
    is_placeholder,
    licence_code,
    link_kind,
    orcid_problem,
    taxon_curie,
)
from clemkit.deposition.bia.pagetab_document import (
    Location,
    Section,
    attributes,
    first_value,
    listed,
    sections,
)
from clemkit.deposition.bia.pagetab_rules import Edit, Finding, finding

__all__ = ["check_values"]

Attribute = Mapping[str, Any]
_LISTS = {"keyword", "keywords", "role", "affiliation", "file list", "study type"}
_CONTINUED = re.compile(r"(and|or|but|nor|with|including|respectively|etc)\b[^:]*", re.DOTALL)


def check_values(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with single values of a submission."""
    yield from _dates(data, ())
    for index, item in attributes(data, "DOI"):
        yield from _doi(item, ("attributes", index))
    for section in sections(data):
        yield from _of_kind(section)
        yield from _links(section, str(data.get("accno", "")))
        yield from _split_texts(section)
        if section.parent is None:
            yield from _dates(section.data, section.location)
    kinds = {s.kind for s in sections(data)}
    if "author" not in kinds and "biosample" in kinds:
        message = "expected a section `author`; found none"
        yield finding(("section",), "PT-author-none", message, "name who made the data")


def _of_kind(section: Section) -> Iterator[Finding]:
    checks = {"author": _author, "publication": _publication}
    if check := checks.get(section.kind):
        yield from check(section)
    if section.kind in ("organism", "imagingmethod"):
        yield from _terms(section)
    if section.parent is None:
        for index, item in attributes(section.data, "License"):
            yield from _licence(item, (*section.location, "attributes", index))


def _given(section: Section, *names: str) -> Iterator[tuple[Location, Attribute, str]]:
    """Yield the place, the attribute and the text of attributes that have a text."""
    for name in names:
        for index, item in attributes(section.data, name):
            if item.get("value") not in (None, ""):
                yield (*section.location, "attributes", index), item, str(item["value"])


def _replaced(place: Location, new: str) -> Edit:
    return Edit("set", (*place, "value"), new)


def _placeholder(place: Location, text: str, severity: Any = "warning") -> Finding:
    message = f"expected a value or nothing; found {text!r}"
    edit = Edit("delete", place)
    return finding(place, "PT-placeholder", message, "leave it out", edit, severity=severity)


def _dates(holder: Mapping[str, Any], location: Location) -> Iterator[Finding]:
    for name in ("ReleaseDate", "Release date"):
        for index, item in attributes(holder, name):
            text = str(item.get("value") or "")
            try:
                date.fromisoformat(text)
            except ValueError:
                place = (*location, "attributes", index)
                message = f"expected a date such as 2026-11-21; found {text!r}"
                yield finding(place, "PT-date", message, "write year, month, day")


def _doi(item: Attribute, place: Location) -> Iterator[Finding]:
    text = str(item.get("value") or "")
    if is_doi(text):
        return
    if not text.strip() or is_placeholder(text):
        message = f"expected a DOI; found {text!r}"
        edits = [Edit("delete", place)] if text.strip() else []
        yield finding(place, "PT-doi", message, "give it once the paper has one", *edits)
        return
    new = bare_doi(text)
    edits = [] if new is None else [_replaced(place, _same_form(text, new))]
    hint = "give 10.…/…" if new is None else f"write {new}"
    yield finding(place, "PT-doi", f"expected a DOI; found {text!r}", hint, *edits)


def _same_form(text: str, doi: str) -> str:
    """Return *doi* as an address where *text* was the address of a page, and bare otherwise."""
    page = re.match(r"https?://", text) and "doi.org" not in text
    return f"https://doi.org/{doi}" if page else doi


def _publication(section: Section) -> Iterator[Finding]:
    title = first_value(section.data, "Title")
    identifiers = [t for _, _, t in _given(section, "DOI", "Pubmed ID", "PMC ID")]
    if not title or is_placeholder(title):
        told = [
            str(a.get("value")) for _, a in attributes(section.data) if a.get("value") is not None
        ]
        nothing = all(not t.strip() or is_placeholder(t) for t in told)
        edits = [Edit("delete", section.location)] if nothing else []
        message = f"expected a publication with a title; found {', '.join(told) or 'nothing'}"
        hint = "leave it out until there is one" if nothing else "give its title and its DOI"
        yield finding(section.location, "PT-publication", message, hint, *edits)
    elif not identifiers and not first_value(section.data, "Authors", "Year"):
        message = f"expected authors, year or an identifier of {title[:60]!r}; found none"
        yield finding(
            section.location, "PT-publication", message, "give its DOI", severity="warning"
        )
    links = _flat(section.data.get("links"), ())
    has_doi = list(attributes(section.data, "DOI")) or any(
        bare_doi(str(link.get("url"))) for _, link in links
    )
    if title and not has_doi:
        message = f"expected the DOI of {title[:60]!r}; found none"
        hint = "preprints and papers in press have one"
        yield finding(section.location, "PT-doi-missing", message, hint, severity="warning")
    for index, item in attributes(section.data, "DOI"):
        yield from _doi(item, (*section.location, "attributes", index))
    for place, _, text in _given(section, "Pubmed ID"):
        yield from _pubmed(place, text, bool(has_doi))


def _pubmed(place: Location, text: str, has_doi: bool) -> Iterator[Finding]:
    if re.fullmatch(r"[1-9][0-9]*", text):
        return
    if is_placeholder(text):
        yield _placeholder(place, text, "error")
        return
    message = f"expected the number of a PubMed record; found {text[:60]!r}"
    bare = re.sub(
        r"^(PM(?:ID)?\s*:?\s*(?=[0-9])|https?://(www[.])?(pubmed[.])?ncbi[.]nlm[.]nih[.]gov/(pubmed/)?)|/$",
        "", text.strip(), flags=re.IGNORECASE,
    )  # fmt: skip
    if re.fullmatch(r"[1-9][0-9]*", bare):
        yield finding(place, "PT-pubmed", message, f"write {bare}", _replaced(place, bare))
    elif re.fullmatch(r"PMC[0-9]+", bare, re.IGNORECASE):
        edit = Edit("set", (*place, "name"), "PMC ID")
        yield finding(place, "PT-pubmed", message, "call it `PMC ID`", edit)
    elif (doi := bare_doi(text)) and not has_doi:
        edits = (Edit("set", (*place, "name"), "DOI"), _replaced(place, doi))
        yield finding(place, "PT-pubmed", message, "call it `DOI`", *edits)
    else:
        yield finding(place, "PT-pubmed", message, "look it up, or leave it out")


def _author(section: Section) -> Iterator[Finding]:
    name = first_value(section.data, "Name")
    if not name.strip() or is_placeholder(name):
        message = f"expected the name of an author; found {name!r}"
        yield finding(section.location, "PT-author-name", message, "give the attribute `Name`")
    for place, _, text in _given(section, "E-mail", "Email"):
        yield from _email(place, text)
    for place, _, text in _given(section, "ORCID"):
        if is_placeholder(text):
            yield _placeholder(place, text)
        elif wrong := orcid_problem(text.strip()):
            yield finding(place, "PT-orcid", wrong, "compare it with orcid.org")
        elif text != text.strip():
            message = f"expected no spaces around it; found {text!r}"
            yield finding(place, "PT-spaces", message, "", _replaced(place, text.strip()))


def _email(place: Location, text: str) -> Iterator[Finding]:
    if is_email(text):
        return
    if is_placeholder(text):
        message = f"expected an e-mail address or nothing; found {text!r}"
        yield finding(place, "PT-email", message, "leave it out", Edit("delete", place))
        return
    new = email_meant(text)
    edits = [] if new is None else [_replaced(place, new)]
    hint = "give one address, name@host" if new is None else f"write {new}"
    yield finding(place, "PT-email", f"expected one e-mail address; found {text!r}", hint, *edits)


def _licence(item: Attribute, place: Location) -> Iterator[Finding]:
    text = str(item.get("value") or "")
    if text in LICENCES:
        return
    meant = licence_code(text)
    message = f"expected {' or '.join(LICENCES)}; found {text!r}"
    if meant is None:
        yield finding(place, "PT-licence", message, "choose one of them")
    else:
        yield finding(place, "PT-licence", message, f"write {meant[0]}", _replaced(place, meant[0]))


def _links(section: Section, accession: str) -> Iterator[Finding]:
    for place, link in _flat(section.data.get("links"), (*section.location, "links")):
        yield from _link(link, place, accession)


def _flat(value: Any, place: Location) -> Iterator[tuple[Location, Mapping[str, Any]]]:
    """Yield links with their places; a table of links is a list in the list."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flat(item, (*place, index))
    elif isinstance(value, Mapping):
        yield place, value


def _link(link: Mapping[str, Any], place: Location, accession: str) -> Iterator[Finding]:
    url = str(link.get("url") or "")
    kind, stated = link_kind(url), first_value(link, "Type")
    told = [str(a.get("value") or "") for _, a in attributes(link)]
    silent = all(not t.strip() or is_placeholder(t) for t in told)
    wanted = f"expected an address, or an identifier with its `Type`; found {url!r}"
    if not url.strip():
        edits = [Edit("delete", place)] if silent else []
        yield finding(
            place, "PT-link-empty", "expected an address; found none", "leave it out", *edits
        )
    elif kind == "meaningless" and not (stated and not is_placeholder(url)):
        edits = [Edit("delete", place)] if silent and is_placeholder(url) else []
        yield finding(
            place, "PT-link-meaningless", wanted, "give the address, or leave it out", *edits
        )
    elif accession and url.rstrip("/").endswith(f"/{accession}"):
        message = f"expected a link to something else; found this submission itself, {url}"
        yield finding(place, "PT-link-meaningless", message, "leave it out", severity="warning")
    elif kind == "no-scheme" and not stated:
        new = address_meant(url)
        edits = [Edit("set", (*place, "url"), new)] if new else []
        yield finding(place, "PT-link-scheme", wanted, f"write {new or 'https://…'}", *edits)
    elif kind == "doi" or stated.lower() == "doi":
        yield from _doi_link(link, place, url, stated)
    elif kind == "accession" and not stated:
        name = accession_type(url)
        yield finding(place, "PT-link-type", wanted, f"add Type {name}", _typed(link, place, name))
    elif kind == "malformed":
        doi = bare_doi(url)
        edits = [Edit("set", (*place, "url"), f"https://doi.org/{doi}")] if doi else []
        rule = "PT-doi" if "doi.org" in url else "PT-link-meaningless"
        yield finding(place, rule, wanted, f"write {doi}" if doi else "compare it", *edits)
    elif url != url.strip():
        edit = Edit("set", (*place, "url"), url.strip())
        yield finding(place, "PT-spaces", f"expected no spaces around {url!r}", "", edit)


def _doi_link(link: Mapping[str, Any], place: Location, url: str, stated: str) -> Iterator[Finding]:
    new = bare_doi(url)
    if new is None:
        message = f"expected a DOI, as its type says; found {url!r}"
        yield finding(place, "PT-doi", message, "give 10.…/…, or another type")
        return
    well_formed = is_doi(url) and url == url.strip()
    edits = [] if well_formed else [Edit("set", (*place, "url"), new)]
    if not stated:
        message = f"expected a `Type` beside the identifier {url!r}; found none"
        edits.append(_typed(link, place, "doi"))
        yield finding(place, "PT-link-type", message, f"write {new} and Type doi", *edits)
    elif not well_formed:
        yield finding(place, "PT-doi", f"expected a DOI; found {url!r}", f"write {new}", *edits)


def _typed(link: Mapping[str, Any], place: Location, name: str | None) -> Edit:
    for index, _ in attributes(link, "Type"):
        return Edit("set", (*place, "attributes", index, "value"), name)  # it was empty
    count = len(listed(link, "attributes"))
    if not count:
        return Edit("set", (*place, "attributes"), [{"name": "Type", "value": name}])
    return Edit("insert", (*place, "attributes", count), {"name": "Type", "value": name})


def _terms(section: Section) -> Iterator[Finding]:
    for place, _, text in _given(section, "NCBI taxon ID"):
        if taxon_curie(text) is None:
            message = f"expected a taxon such as NCBITaxon:9606; found {text!r}"
            yield finding(place, "PT-taxon", message, "look it up in the NCBI taxonomy")
    for place, _, text in _given(section, "Ontology Term ID"):
        if not re.fullmatch(r"(https?://\S+[/#])?[A-Za-z]+[_:][A-Za-z0-9]+", text.strip()):
            message = f"expected a term such as FBbi:00000251; found {text!r}"
            yield finding(place, "PT-method-term", message, "look it up in FBbi")


def _balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return False
    return depth == 0 and text.count('"') % 2 == 0


def _split_texts(section: Section) -> Iterator[Finding]:
    names: dict[str, list[int]] = {}
    for index, item in attributes(section.data):
        names.setdefault(str(item.get("name", "")), []).append(index)
    for name, places in names.items():
        if len(places) < 2 or name.lower() in _LISTS:
            continue
        items = section.data["attributes"]
        texts = [str(items[i].get("value") or "").strip() for i in places]
        for start, end in _torn(texts):
            first = (*section.location, "attributes", places[start])
            joined = ", ".join(texts[start:end])
            message = f"expected one text; found {end - start} values of {name!r} that are one"
            edits = [_replaced(first, joined)]
            edits += [
                Edit("delete", (*section.location, "attributes", i))
                for i in places[start + 1 : end]
            ]
            hint = f"join them: {joined[:60]}…"
            yield finding(first, "PT-text-split", message, hint, *edits)


def _torn(texts: list[str]) -> Iterator[tuple[int, int]]:
    """Yield the runs of *texts* that are one: brackets close later, or it goes on with `and`."""
    start = 0
    while start < len(texts):
        end = start + 1
        if not _balanced(texts[start]):
            closed = (
                stop
                for stop in range(start + 2, len(texts) + 1)
                if _balanced(", ".join(texts[start:stop]))
            )
            end = next(closed, end)
        while end < len(texts) and _CONTINUED.fullmatch(texts[end]):
            end += 1
        if end - start > 1:
            yield start, end
        start = end
