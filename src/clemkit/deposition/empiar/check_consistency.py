"""Rules on several values of a deposition document together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clemkit.deposition.empiar.codes import OTHER, PAIRED_FIELDS, parse_pair
from clemkit.deposition.empiar.description import Location, mappings, note
from clemkit.deposition.empiar.names import parse_name
from clemkit.errors import Problem

__all__ = ["consistency"]

_EMDB = 3
# types whose images nobody can use without a pixel size, with the smallest that is plausible (Å)
_SMALLEST_PIXEL: Final[Mapping[int, float]] = {
    1: 50,
    4: 8,
    5: 8,
    7: 3,
    8: 50,
    11: 8,
    12: 100,
    13: 1,
}
_LONGEST: Final = 8  # times as long as wide: a pixel of slices seen from the side, or a slip
_BY_ARRANGEMENT: Final = {2: "simulated data", 6: "integrative hybrid models"}
_MULTIFRAME: Final = {"T1": "T2", "T5": "T6", "T7": "T8"}
_BOOK = ("book_chapter_title", "publisher", "publication_location")
_JOURNAL = ("journal", "journal_abbreviation", "issue")
_XML, _BDV = "T8", "T8"


def consistency(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what does not go together in a document.

    Parameters
    ----------
    document : mapping
        A deposition document; values of a wrong type are passed over.
    """
    yield from _order(document.get("authors"), ("authors",))
    yield from _contacts(document)
    yield from _references(document)
    yield from _release(document)
    kind = document.get("experiment_type")
    sets = _indexed(document.get("imagesets"))
    yield from _permission(kind)
    for place, entry in sets:
        yield from _category(entry, ("imagesets", *place))
        yield from _frames(entry, ("imagesets", *place))
        yield from _formats(entry, ("imagesets", *place))
        yield from _pixels(entry, ("imagesets", *place), kind)
    yield from _duplicates(sets)
    for place, entry in _indexed(document.get("citation")):
        yield from _order(entry.get("authors"), ("citation", *place, "authors"))
        yield from _order(entry.get("editors"), ("citation", *place, "editors"))
        yield from _citation(entry, ("citation", *place))


def _indexed(value: object) -> list[tuple[Location, Mapping[str, Any]]]:
    items = value if isinstance(value, list) else []
    return [((i,), item) for i, item in enumerate(items) if isinstance(item, Mapping)]


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _order(people: object, place: Location) -> Iterator[Problem]:
    numbers = [_whole(p.get("order_id")) for p in mappings(people)]
    given = [n for n in numbers if n is not None]
    if len(given) != len(numbers):
        return  # reported as missing or of a wrong type
    seen: set[int] = set()
    for index, number in enumerate(given):
        where = (*place, index, "order_id")
        if number in seen:
            message = f"expected each order_id once; found {number} again"
            yield Problem(where, "empiar-order", "error", message, "number from 0 without repeats")
        elif not 0 <= number < len(given):
            message = f"expected order_id 0 to {len(given) - 1}; found {number}"
            yield Problem(where, "empiar-order", "error", message, "number from 0 without gaps")
        seen.add(number)
    orcids: dict[str, int] = {}
    for index, person in enumerate(mappings(people)):
        orcid = person.get("author_orcid")
        if isinstance(orcid, str) and orcid:
            if orcid in orcids:
                message = f"expected each ORCID iD once; found {orcid} of author {orcids[orcid]}"
                where = (*place, index, "author_orcid")
                yield Problem(where, "empiar-orcid", "error", message, "whose is it?")
            orcids.setdefault(orcid, index)


def _contacts(document: Mapping[str, Any]) -> Iterator[Problem]:
    known = {n[0] for a in mappings(document.get("authors")) if (n := parse_name(a.get("name")))}
    persons: list[tuple[Location, object]] = [
        (("corresponding_author",), document.get("corresponding_author"))
    ]
    persons += [
        (("principal_investigator", *i), p)
        for i, p in _indexed(document.get("principal_investigator"))
    ]
    for place, person in persons:
        if not isinstance(person, Mapping) or not isinstance(person.get("last_name"), str):
            continue
        family = person["last_name"].replace("'", "’")
        if known and family not in {k.replace("'", "’") for k in known}:
            message = f"expected {family} among the authors; found {', '.join(sorted(known))}"
            hint = "authors must name everybody, also contact persons"
            yield note((*place, "last_name"), "empiar-contact", message, hint)


def _references(document: Mapping[str, Any]) -> Iterator[Problem]:
    for key in (
        "cross_references", "biostudies_references", "idr_references", "empiar_references",
    ):  # fmt: skip
        seen: set[str] = set()
        for place, entry in _indexed(document.get(key)):
            if entry.get("name") is None:
                where = (key, *place)
                message = f"expected a name in {key}; found none"
                yield Problem(where, "empiar-reference", "error", message, "name the entry")
            elif str(entry["name"]) in seen:
                message = f"expected each reference once; found {entry['name']} again"
                where = (key, *place, "name")
                yield note(where, "empiar-reference", message, "remove one")
            seen.add(str(entry.get("name")))
    if document.get("experiment_type") == _EMDB and not _names_emdb(document):
        message = (
            "expected cross_references to EMDB for type 3, raw data of EMDB entries; found none"
        )
        hint = (
            "name the EMDB entry; volume EM, CLEM and soft X-ray data have types of their own and "
            "need none"
        )
        yield Problem(("cross_references",), "empiar-emdb-link", "error", message, hint)


def _names_emdb(document: Mapping[str, Any]) -> bool:
    return any(r.get("name") for r in mappings(document.get("cross_references")))


def _release(document: Mapping[str, Any]) -> Iterator[Problem]:
    option = document.get("release_date")
    if option == "EP" and not _names_emdb(document):
        message = "expected cross_references with release EP, which waits for the EMDB entry"
        hint = "name the EMDB entry, or choose RE, HP or HO"
        yield Problem(("release_date",), "empiar-release", "error", message, hint)
    papers = mappings(document.get("citation"))
    if option == "HP" and papers and all(_is_out(p) for p in papers):
        message = "expected a paper to wait for with release HP; found only papers that are out"
        yield note(("release_date",), "empiar-release", message, "choose RE")


def _is_out(paper: Mapping[str, Any]) -> bool:
    return bool(paper.get("published") and paper.get("j_or_nj_citation") and paper.get("pubmedid"))


def _permission(kind: object) -> Iterator[Problem]:
    if not isinstance(kind, int) or kind not in _BY_ARRANGEMENT:
        return
    message = (
        f"expected an agreement with EMPIAR for type {kind}: {_BY_ARRANGEMENT[kind]} are taken by "
        "arrangement only"
    )
    hint = "ask EMPIAR's curators before the deposition"
    yield note(("experiment_type",), "empiar-permission", message, hint)


def _category(entry: Mapping[str, Any], place: Location) -> Iterator[Problem]:
    parsed, frames = parse_pair(entry.get("category")), _whole(entry.get("frames_per_image"))
    if parsed is None or frames is None or frames < 1:
        return
    label = PAIRED_FIELDS["category"].get(parsed[0], "")
    where = (*place, "category")
    if "single frame" in label and frames > 1:
        message = f"expected one frame with category {parsed[0]} ({label}); found {frames}"
        hint = f"('{_MULTIFRAME[parsed[0]]}', '') is for several frames"
        yield Problem(where, "empiar-category", "error", message, hint)
    if "multiframe" in label and frames == 1:
        message = f"expected several frames with category {parsed[0]} ({label}); found 1"
        yield note(where, "empiar-category", message, "see the categories for single frames")


def _frames(entry: Mapping[str, Any], place: Location) -> Iterator[Problem]:
    low, high = _whole(entry.get("frame_range_min")), _whole(entry.get("frame_range_max"))
    frames = _whole(entry.get("frames_per_image"))
    if (low is None) != (high is None):
        key = "frame_range_min" if low is None else "frame_range_max"
        message = "expected frame_range_min and frame_range_max, or neither; found one"
        yield note((*place, key), "empiar-frame-range", message, "give both")
    if low is not None and high is not None and low > high:
        message = f"expected frame_range_min up to frame_range_max; found {low} and {high}"
        where = (*place, "frame_range_min")
        yield Problem(where, "empiar-frame-range", "error", message, "swap them")
    elif high is not None and frames is not None and 0 < frames < high:
        message = f"expected frames up to frames_per_image {frames}; found frame {high}"
        where = (*place, "frame_range_max")
        yield Problem(where, "empiar-frame-range", "error", message, "correct one of them")


def _formats(entry: Mapping[str, Any], place: Location) -> Iterator[Problem]:
    header, data = (parse_pair(entry.get(k)) for k in ("header_format", "data_format"))
    if header is None or data is None or header[0] == data[0] == OTHER:
        return
    names = [PAIRED_FIELDS[k].get(p[0], p[1]) for k, p in
             (("header_format", header), ("data_format", data))]  # fmt: skip
    if data[0] == _BDV and header[0] != _XML:
        message = f"expected an XML header with {names[1]}; found {names[0]}"
        hint = "data T8 is BigDataViewer HDF5, whose header is XML: header T8"
        yield Problem((*place, "header_format"), "empiar-format-pair", "error", message, hint)
    elif header[0] == _XML and data[0] == OTHER:
        return  # an XML header beside any other container
    elif header[0] != data[0] and header[0] != _XML:
        message = f"expected header and data of one format; found {names[0]} and {names[1]}"
        hint = "the two lists have different meanings for T8 only"
        yield note((*place, "header_format"), "empiar-format-pair", message, hint)


def _pixels(entry: Mapping[str, Any], place: Location, kind: object) -> Iterator[Problem]:
    if not isinstance(kind, int) or kind not in _SMALLEST_PIXEL:
        return
    width, height = (entry.get(key) for key in ("pixel_width", "pixel_height"))
    if isinstance(width, int | float) and isinstance(height, int | float):
        small, large = sorted((width, height))
        if large > _LONGEST * small and small >= _SMALLEST_PIXEL[kind]:
            message = f"expected pixels about as wide as high; found {width:g} x {height:g} Å"
            hint = "if the planes are seen from the side, say so in the details"
            yield note((*place, "pixel_height"), "empiar-unit", message, hint)
    for key in ("pixel_width", "pixel_height"):
        value = entry.get(key)
        if value is None:
            message = f"expected {key} in ångström; found none"
            yield note((*place, key), "empiar-pixel-size", message, "1 nm is 10")
        elif isinstance(value, int | float) and 0 < value < _SMALLEST_PIXEL[kind]:
            message = f"expected {key} in ångström; found {value:g}, too small for this method"
            yield note(
                (*place, key), "empiar-unit", message, f"if it is {value:g} nm: {value * 10:g}"
            )


def _duplicates(sets: list[tuple[Location, Mapping[str, Any]]]) -> Iterator[Problem]:
    for index, (place, entry) in enumerate(sets):
        where = ("imagesets", *place)
        for earlier, other in sets[:index]:
            if entry == other:
                message = (
                    f"expected different image sets; found that of imagesets/{earlier[0]} again"
                )
                yield Problem(where, "empiar-duplicate", "error", message, "remove one")
                break
            if entry.get("name") and entry.get("name") == other.get("name"):
                message = f"expected a name of its own; found that of imagesets/{earlier[0]}"
                hint = "EMPIAR tells image sets apart by their names"
                yield Problem((*where, "name"), "empiar-duplicate", "error", message, hint)
                break
            folders = [str(e.get("directory")).strip("/") for e in (entry, other)]
            if folders[0] == folders[1] and "directory" in entry:
                message = f"expected a folder of its own; found that of imagesets/{earlier[0]}"
                hint = "nobody can tell which files belong to which image set"
                yield note((*where, "directory"), "empiar-duplicate", message, hint)
                break


def _citation(entry: Mapping[str, Any], place: Location) -> Iterator[Problem]:
    journal = entry.get("j_or_nj_citation")
    if journal is True and (used := [k for k in _BOOK if entry.get(k)]):
        message = f"expected {', '.join(used)} only for books; found them with a journal paper"
        hint = "write null, or j_or_nj_citation: false"
        yield note((*place, used[0]), "empiar-citation", message, hint)
    if journal is False and (used := [k for k in _JOURNAL if entry.get(k)]):
        message = (
            f"expected {', '.join(used)} only for journal papers; found a non-journal citation"
        )
        hint = "write null, or j_or_nj_citation: true"
        yield note((*place, used[0]), "empiar-citation", message, hint)
    if entry.get("published") is False and (entry.get("pubmedid") or entry.get("volume")):
        message = "expected published: true with a PubMed identifier or a volume; found false"
        yield note((*place, "published"), "empiar-citation", message, "correct one of them")
