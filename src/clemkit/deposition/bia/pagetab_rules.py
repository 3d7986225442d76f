"""The rules for PageTab submissions, and what a check returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from clemkit.errors import Problem

__all__ = ["PAGETAB_RULES", "Edit", "Finding", "finding"]

Location = tuple[str | int, ...]

PAGETAB_RULES: Final[Mapping[str, str]] = {
    # identifiers
    "PT-date": "A date is not of the form 2026-11-21.",
    "PT-doi": "A DOI is malformed.",
    "PT-doi-missing": "A publication has no DOI.",
    "PT-email": "An e-mail address is malformed.",
    "PT-licence": "A licence is not spelled as the archive spells it, or is none it takes.",
    "PT-link-empty": "A link has no address.",
    "PT-link-meaningless": "A link leads nowhere.",
    "PT-link-scheme": "The address of a link lacks http or https.",
    "PT-link-type": "A link that is an identifier does not say of which system.",
    "PT-method-term": "An imaging method is not identified by a term of FBbi.",
    "PT-orcid": "An ORCID iD is malformed.",
    "PT-placeholder": "A value says that there is none.",
    "PT-pubmed": "A PubMed identifier is not a number.",
    "PT-spaces": "Spaces stand around an identifier.",
    "PT-taxon": "A taxon identifier is malformed.",
    # sections
    "PT-accession-duplicate": "Two sections have the same accession.",
    "PT-author-name": "An author has no name.",
    "PT-author-none": "The submission has no author.",
    "PT-file-list": "A study component names no list of files.",
    "PT-form": "A part of a submission has not the form of PageTab.",
    "PT-publication": "A publication is half empty.",
    "PT-section-empty": "A section has no content.",
    "PT-section-type": "The type of a section is not one that the archive reads.",
    "PT-text-split": "One text was split at its commas into several values.",
    "PT-title-missing": "A section that others refer to has no title.",
    "PT-title-repeated": "Two sections of one type have the same title.",
    # between sections
    "PT-affiliation": "An affiliation refers to no organisation.",
    "PT-association-dangling": "An association names a title that no section has.",
    "PT-association-incomplete": "An association does not name what it has to.",
    "PT-association-missing": "A study component has no associations.",
    "PT-reference": "A reference leads to no section.",
    "PT-nested": "A section lies inside a study component and not beside it.",
    "PT-unused": "A section is described and no study component refers to it.",
}


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a submission; a place in a list is counted before any change.

    Attributes
    ----------
    action : {"set", "delete", "insert"}
        ``insert`` puts *value* before the item at *location*, or at the end of the list.
    location : tuple of str or int
        Where.
    value : object
        What to put there.
    """

    action: Literal["set", "delete", "insert"]
    location: Location
    value: Any = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem and, where nothing is lost, the edits that repair it."""

    problem: Problem
    edits: tuple[Edit, ...] = ()


def finding(
    location: Location,
    rule: str,
    message: str,
    hint: str = "",
    *edits: Edit,
    severity: Literal["error", "warning"] = "error",
) -> Finding:
    """Return a finding with its edits."""
    return Finding(Problem(location, rule, severity, message, hint), edits)
