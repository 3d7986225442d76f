"""What in a text is no treatment: titles, remarks, definitions, lists of reagents."""

from __future__ import annotations

import re

from clemkit.metadata.protocols.text.actions import describes, find_cues
from clemkit.metadata.protocols.text.clauses import Clause
from clemkit.metadata.protocols.text.segments import Segment

__all__ = ["asides_in", "is_line", "is_no_procedure", "is_own_line", "is_remark", "is_title"]

_NEGATED = re.compile(
    r"\b(?:no|without|omit(?:ted|ting)?|neither)\b(?=.{0,40}\b(?:stain|fix|osmi|coat|contrast|applied|used|added|performed|needed)\w*)|"
    r"\b(?:was|were|is|are)\s(?:not|never)\b",
    re.I,
)
# what a solution was made of, and why something is done
_ASIDE = re.compile(
    r"\A\W*(?:the\s)?[\w\s%/-]{2,40}?\s(?:was|were|is)\s(?:then\s|gradually\s|subsequently\s)?(?=(?:exchanged|replaced|substituted)\b)"
    r"|\bfrom\s(?:an?|the)\s[^,;)]{0,40}\bstock\b[^,;)]*|\bstock\s(?:solution\s)?in\s[^,;)]*"
    r"|\((?:this\s|to\s|it\s|which\s)?(?:melts?|removes?|dissolves?|stops?|quenche?s?|prevents?|reduces?|keeps?|helps?|avoids?|improves?)\b[^)]*\)",
    re.I,
)
# parts of a text that are no procedure
_NO_PROCEDURE = re.compile(
    r"[\W\d]*(?:materials?|reagents?|solutions?|recipes?|equipment|chemicals|consumables|supplies|"
    r"stocks?|buffers?|troubleshooting|notes?|references?|literature|hints|tips|safety|waste|"
    r"introduction|background|scope|abstract|results?|materialien|lösungen|geräte|literatur|"
    r"hinweise|chemikalien|before\syou\sstart|imaging|image\sacquisition|data\sanalysis|image\sanalysis)"
    r"(?:\s(?:and|&|to|und)\s\w+|\sneeded|\srequired|\slist|\ssolutions|\spreparation)*\W*",
    re.I,
)
# BB = 3% BSA in PBS
_DEFINITION = re.compile(r"\W*(?:\w+:\s)?[A-Z][A-Za-z0-9]{0,7}\s=\s")
_REMARK = re.compile(
    r"\A\W*(?:(?:all|every|each|these|the\s(?:above|following|whole))\s(?:of\sthe\s)?(?:\w+\s)?(?:steps?|washes|incubations?|solutions?|procedures?|protocol|processing)\b|"
    r"if\b[^.;]*:\s*\Z|(?:negative\s)?controls?\b|(?:troubleshooting|note|nb|tip|caution|warning|attention|achtung|hinweis|important|scope|background|materials|reagents|equipment|recipe)\b\s?[:!]|based\son|adapted\sfrom|"
    r"(?:staining|embedding|processing|fixation|protocol)?\s?(?:followed|follows)\s(?:published|the\s\w+\sprotocol|a\s))",
    re.I,
)


def is_no_procedure(words: str) -> bool:
    """Whether a heading opens a part that is no procedure: reagents, notes, references."""
    return _NO_PROCEDURE.fullmatch(words) is not None


def is_remark(words: str, *, has_numbers: bool) -> bool:
    """Whether a clause is a remark, a question or a definition, or says what is not done."""
    if words.rstrip().endswith("?") or _DEFINITION.match(words) or _REMARK.match(words):
        return True
    return not has_numbers and _NEGATED.search(words) is not None


def asides_in(clause: Clause, words: str) -> list[tuple[int, int]]:
    """Return the parts of a clause whose materials and numbers are not those of the treatment."""
    found = [(clause.start + m.start(), clause.start + m.end()) for m in _ASIDE.finditer(words)]
    return [*clause.context, *found]


def is_own_line(text: str, segment: Segment) -> bool:
    """Whether a segment has its lines for itself."""
    before = text[: segment.start].rpartition("\n")[2].strip()
    return not before and not text[segment.end :].partition("\n")[0].strip()


def is_title(text: str, clause: Clause) -> bool:
    """Whether a sentence has no verb: *Pre-embedding immunolabelling.*."""
    segment = clause.segment
    words = text[segment.start : segment.end]
    if segment.kind != "sentence" or clause.start != segment.start or not words[0].isupper():
        return False
    if re.search(r"\b(?:was|were|is|are|has|have|took|had)\b|:", words) or is_line(text, clause):
        return False
    cues = find_cues(text, segment.body, segment.end)
    return not any(c.is_verb and not describes(text, c) for c in cues)


def is_line(text: str, clause: Clause) -> bool:
    """Whether a clause is an entry of a list: an item, a row or a short line of its own."""
    segment = clause.segment
    if segment.kind in ("item", "row"):
        return True
    line = (
        text[: segment.start].rpartition("\n")[2].strip()
        + text[segment.end :].partition("\n")[0].strip()
    )
    return not line and segment.end - segment.start < 60
