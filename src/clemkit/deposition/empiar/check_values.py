"""Rules on single values of a deposition document."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from clemkit.deposition.empiar.codes import (
    EXPERIMENT_TYPES,
    OTHER,
    PAIRED_FIELDS,
    RELEASE_OPTIONS,
    SCALES,
    parse_pair,
)
from clemkit.deposition.empiar.countries import COUNTRIES, country_code
from clemkit.deposition.empiar.description import Location
from clemkit.deposition.empiar.names import parse_name, parse_printed, tuple_name
from clemkit.errors import Problem
from clemkit.metadata.validate.check_digits import CHECK_DIGITS

__all__ = ["check_value"]

_EMAIL = re.compile(r"[^@\s<>(),;:\"]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_ORCID = re.compile(r"([0-9]{4}-){3}[0-9]{3}[0-9X]")
_DOI = re.compile(r"10\.[0-9]{4,9}/[-._;()/:A-Za-z0-9]+")
_PUBMED = re.compile(r"[1-9][0-9]{0,7}")
_PERSON = re.compile(r"[^0-9!\"£$%^&*()]+")
_CAPITALS = re.compile(r"[A-Z0-9 ]+")
_LONGEST_SURNAME, _LONGEST_GIVEN = 60, 20
_REFERENCES: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "cross_references": (re.compile(r"EMD-[0-9]{4,}"), "EMD-8000"),
    "biostudies_references": (re.compile(r"S-\S+"), "S-BIAD1"),
    "idr_references": (re.compile(r"idr\S+"), "idr0001"),
    "empiar_references": (re.compile(r"EMPIAR-[0-9]+"), "EMPIAR-10002"),
}


def check_value(key: str, value: Any, place: Location) -> Iterator[Problem]:
    """Yield what is wrong with the value of a key; its type and length are right.

    Parameters
    ----------
    key : str
        A key of EMPIAR.
    value : object
        Its value.
    place : tuple
        Where it stands in the document.
    """
    if key in PAIRED_FIELDS:
        yield from _pair(key, str(value), place)
    elif key == "name":
        yield from _name(str(value), place)
    elif (check := _CHECKS.get(key)) is not None:
        yield from check(value, place)


def _error(place: Location, rule: str, message: str, hint: str) -> Problem:
    return Problem(place, rule, "error", message, hint)


def _pair(key: str, value: str, place: Location) -> Iterator[Problem]:
    codes = PAIRED_FIELDS[key]
    last = list(codes)[-1]
    parsed = parse_pair(value)
    if parsed is None:
        inside = re.search(r"\('(?:T[0-9]+|OT)', '[^']*'\)", value)
        message = f"expected one quoted pair such as ('T1', '') and nothing else; found {value!r}"
        hint = f"write {inside[0]}" if inside and inside[0] != value else "see the list of codes"
        yield _error(place, "empiar-coded-pair", message, hint)
        return
    code, text = parsed
    if code == OTHER:
        yield from _other(key, text, place)
    elif code not in codes:
        message = f"expected a code T1 to {last}, or OT, for {key}; found {code}"
        yield _error(place, "empiar-coded-pair", message, _meanings(codes))
    elif text:
        message = f"expected no text with code {code}; found {text!r}"
        yield _error(place, "empiar-coded-pair", message, f"write ('{code}', '')")


def _meanings(codes: Mapping[str, str]) -> str:
    return ", ".join(f"{code} {label}" for code, label in codes.items())


def _other(key: str, text: str, place: Location) -> Iterator[Problem]:
    if not text.strip():
        message = f"expected a text with code OT; found {text!r}"
        yield _error(place, "empiar-coded-pair", message, "say what it is")
        return
    if key != "category" and not _CAPITALS.fullmatch(text):
        message = f"expected capitals, digits and spaces with code OT; found {text!r}"
        words = re.sub(r"[^A-Z0-9]+", " ", text.upper()).strip()
        yield _error(place, "empiar-coded-pair", message, f"write ('OT', '{words}')")
        return
    same = {label.lower(): code for code, label in PAIRED_FIELDS[key].items()}
    if (code := same.get(" ".join(text.lower().split()))) is not None:
        message = f"expected code {code} for {text}; found OT"
        yield Problem(place, "empiar-coded-pair", "warning", message, f"write ('{code}', '')")


def _name(value: str, place: Location) -> Iterator[Problem]:
    kind = str(place[-3]) if len(place) > 2 else ""
    if kind in _REFERENCES:
        form, example = _REFERENCES[kind]
        if not form.fullmatch(value):
            message = f"expected a reference such as {example}; found {value!r}"
            yield _error(place, "empiar-reference", message, "correct the identifier")
    elif kind in ("authors", "editors"):
        yield from _author(value, place)


def _author(value: str, place: Location) -> Iterator[Problem]:
    parsed = parse_name(value)
    if parsed is None:
        printed = parse_printed(value)
        hint = f"write {tuple_name(*printed)}" if printed else "surname, then initials in capitals"
        message = f"expected a name such as ('Chang', 'YW'); found {value!r}"
        yield _error(place, "empiar-name", message, hint)
        return
    for part, longest, what in (
        (parsed[0], _LONGEST_SURNAME, "a surname"),
        (parsed[1], _LONGEST_GIVEN, "a given name"),
    ):
        if len(part) > longest:
            message = f"expected at most {longest} characters in {what}; found {len(part)}"
            yield _error(place, "empiar-length", message, "shorten it")
    if any(c.islower() for c in parsed[1]):
        message = f"expected initials in capital letters; found {parsed[1]!r}"
        yield Problem(place, "empiar-initials", "warning", message, "such as YW for Yi-Wei")


def _person(value: str, place: Location) -> Iterator[Problem]:
    if not _PERSON.fullmatch(value):
        message = f"expected a name without digits and signs; found {value!r}"
        yield _error(place, "empiar-name", message, "correct the name")


def _orcid(value: str, place: Location) -> Iterator[Problem]:
    if not _ORCID.fullmatch(value):
        message = f"expected an ORCID iD such as 0000-0002-1825-0097; found {value!r}"
        bare = re.search(_ORCID, value)
        hint = f"write {bare[0]}" if bare else "write null where there is none"
        yield _error(place, "empiar-orcid", message, hint)
    elif wrong := CHECK_DIGITS["orcid"](value):
        yield _error(
            place, "empiar-orcid", f"{wrong}", "compare it with orcid.org: one digit is wrong"
        )


def _email(value: str, place: Location) -> Iterator[Problem]:
    if not _EMAIL.fullmatch(value):
        message = f"expected an e-mail address; found {value!r}"
        yield _error(place, "empiar-email", message, "such as name@institute.example")


def _country(value: str, place: Location) -> Iterator[Problem]:
    if value in COUNTRIES:
        return
    known = country_code(value)
    hint = f"write {known} for {COUNTRIES[known]}" if known else "ISO 3166-1, such as DE or GB"
    message = f"expected a country code of two capitals; found {value!r}"
    yield _error(place, "empiar-country", message, hint)


def _doi(value: str, place: Location) -> Iterator[Problem]:
    if not _DOI.fullmatch(value):
        bare = re.search(r"10\.[0-9]{4,9}/\S+", value)
        message = f"expected a bare DOI such as 10.1038/nmicrobiol.2016.269; found {value!r}"
        hint = f"write {bare[0]}" if bare else "write null where there is none"
        yield _error(place, "empiar-doi", message, hint)


def _pubmed(value: str, place: Location) -> Iterator[Problem]:
    if not _PUBMED.fullmatch(value):
        message = f"expected a PubMed identifier of digits; found {value!r}"
        yield _error(place, "empiar-pubmed", message, "write null where there is none")


def _directory(value: str, place: Location) -> Iterator[Problem]:
    parts = [p for p in PurePosixPath(value).parts if p != "/"]
    if "\0" in value or "\\" in value or ".." in parts:
        message = f"expected a folder without parent steps and backslashes; found {value!r}"
        yield _error(place, "empiar-directory", message, "such as data/em-raw")
    elif not parts or parts[0] != "data":
        message = f"expected a folder under data; found {value!r}"
        yield _error(place, "empiar-directory", message, f"such as data/{value.strip('/')}")


def _path(value: str, place: Location) -> Iterator[Problem]:
    if "\0" in value or "\\" in value or ".." in PurePosixPath(value).parts:
        message = f"expected a path without parent steps and backslashes; found {value!r}"
        yield _error(place, "empiar-directory", message, "such as data/workflow.json")


def _choice(choices: Mapping[Any, str]) -> Callable[[Any, Location], Iterator[Problem]]:
    def check(value: Any, place: Location) -> Iterator[Problem]:
        if value not in choices:
            listed = ", ".join(f"{code} ({label})" for code, label in choices.items())
            message = f"expected one of {', '.join(repr(c) for c in choices)}; found {value!r}"
            yield _error(place, "empiar-value", message, listed)

    return check


def _url(value: str, place: Location) -> Iterator[Problem]:
    if not re.fullmatch(r"https://\S+", value):
        message = f"expected an address that begins with https://; found {value!r}"
        yield _error(place, "empiar-reference", message, "the address of the workflow")


def _year(value: int, place: Location) -> Iterator[Problem]:
    if not 1000 <= value <= 9999:
        message = f"expected a year of four digits; found {value}"
        yield _error(place, "empiar-range", message, "correct the year")


_CHECKS: Final[Mapping[str, Callable[[Any, Location], Iterator[Problem]]]] = {
    "release_date": _choice(RELEASE_OPTIONS),
    "experiment_type": _choice(EXPERIMENT_TYPES),
    "scale": _choice(SCALES),
    "type": _choice({1: "WorkflowHub"}),
    "first_name": _person,
    "middle_name": _person,
    "last_name": _person,
    "author_orcid": _orcid,
    "email": _email,
    "country": _country,
    "doi": _doi,
    "pubmedid": _pubmed,
    "directory": _directory,
    "picked_particles_directory": _path,
    "micrographs_file_pattern": _path,
    "picked_particles_file_pattern": _path,
    "path": _path,
    "url": _url,
    "year": _year,
}
