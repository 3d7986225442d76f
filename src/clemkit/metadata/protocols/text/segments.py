"""Text to segments: headings, items, rows and sentences with exact offsets.

Every character that is not white space lies in exactly one segment: nothing is lost.
"""
# ruff: noqa: E501  a pattern is read in one piece

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Segment", "find_segments", "trimmed"]

Kind = Literal["heading", "layout", "item", "row", "sentence"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of text.

    Attributes
    ----------
    start, end : int
        Offsets, without white space at the ends.
    kind : str
        ``heading``, ``layout`` (rules, front matter, images, code), ``item`` (the first sentence of
        a list item), ``row`` (of a table) or ``sentence``.
    body : int
        Offset of the first character after the number or bullet.
    label : str
        Number or letter of a list item.
    block : int
        Number of the paragraph, item or row that it belongs to.
    """

    start: int
    end: int
    kind: Kind
    body: int
    label: str = ""
    block: int = 0


_BULLET = re.compile(
    r"[ \t>]*(?:(?P<mark>[-*•◦▪‣·–+☐☑✓●○]|\[[ xX]\])(?:[ \t]+\[[ xX]\])?(?=[ \t]+)"
    r"|(?:[Ss]tep|STEP|Schritt|Day|Tag)\s?(?P<step>\d{1,3}[a-z]?)\s?[.:)–-](?=[ \t]|$)"
    r"|[(]?(?P<number>\d{1,3}(?:[.]\d{1,2}){0,3}[a-z]?)(?:[.)]|[.]?[)]|:(?!\d))(?=[ \t]+|$|(?<=[.)])(?=[A-Z][a-z]))"
    r"|(?P<long>\d{1,2}(?:[.]\d{1,2}){1,3})(?=[ \t]+[A-Z])"
    r"|[(]?(?P<letter>[a-z]|[ivx]{1,4}|[A-H])[)](?=[ \t]+)"
    r"|(?P<dotted>[a-z])[.](?=[ \t]+[A-Z\d])|(?<=[ \t]{2})(?P<inner>[a-z])[.](?=[ \t]+))[ \t]*"
)
_HEADING = re.compile(r"[ \t]*#{1,6}[ \t]*\S.*")
_UNDERLINE = re.compile(r"[ \t]*(?:=+|-{3,}|\*{3,}|_{3,}|~{3,}|–{3,}|—{2,})[ \t]*")
_TABLE_RULE = re.compile(r"[ \t]*\|?[ \t:]*-{2,}[-| \t:]*\|?[ \t]*")
_IMAGE = re.compile(
    r"[ \t]*!\[[^\]]*\]\([^)]*\)[ \t]*|[ \t]*<!--.*?-->[ \t]*|[ \t]*</?\w+[^>]*>[ \t]*"
)
_LABEL = re.compile(
    r"[ \t]*(?:\*\*|__)[^*_]{2,40}(?:\*\*|__)\s?:?|[ \t]*[A-Z][\w/-]{2,20}(?:\s[\w/-]{1,15}){0,2}:\s"
)
_QUANTITY_LIKE = re.compile(
    r"\d\s?(?:%|°|min|h\b|hr|s\b|nm|µ|m[lLMm]|M\b|['′`x×])|overnight|\bRT\b|\bice\b"
)
_VERB_LIKE = re.compile(
    r"\b(?:were|was|are|is|be|then|wash|rinse|add|remove|transfer|place|incubate|fix|cut|mount|store|dry|keep|put|let|"
    r"bleach|use|mix|pipette|stain|dehydrate|infiltrate|embed|polymeri[sz]e|cure|collect|trim|coat|image|freeze)\b",
    re.I,
)
_ABBREVIATIONS = re.compile(
    r"(?:\b(?:e\.g|i\.e|et al|etc|cf|ca|approx|vs|resp|Figs?|Tab|Eq|Refs?|Inc|Ltd|Co|Corp|Dr|Prof|St|No|Nr|Cat|cat|"
    r"temp|r\.t|R\.T|incl|Supp|Suppl|vol|Vol|sp|spp|var|dil|conc|sol|aq|dist|max|z\.B|ca|bzw|ggf|inkl|evtl|Std|U\.S|U\.K|"
    r"w|v|deion|bidist|demin|dest|bidest|entm|mol|Mol|GmbH|Aldrich|p\.A|n)|(?<![°º˚\d])(?<![°\d]\s)\b[A-Z])\.\Z"
)  # fmt: skip
_NEVER = re.compile(
    r"(?:\b(?:e\.g|i\.e|Figs?|Tab|Eq|Refs?|approx|ca|cf|vs|Dr|Prof|St|Cat|cat|No|Nr|Suppl?|z\.B|bzw)|(?<![°º˚\d])(?<![°\d]\s)\b[A-Z])\.\Z"
)
_LONGEST = 3000
_END = re.compile(r"[.!?][\"'”’)\]]*(?=\s|$)|[.](?=[A-Z][a-z]{2,}\s)")


def find_segments(text: str) -> list[Segment]:
    """Return the segments of *text*, in order."""
    found: list[Segment] = []
    lines = list(_lines(text))
    at = _front_matter(text, lines, found)
    block = 0
    while at < len(lines):
        start, end = lines[at]
        line = text[start:end]
        block += 1
        if not line.strip():
            at += 1
        elif line.lstrip().startswith("```"):
            at = _code(text, lines, at, found, block)
        elif _UNDERLINE.fullmatch(line) or _TABLE_RULE.fullmatch(line) or _IMAGE.fullmatch(line):
            _add(found, text, start, end, "layout", block)
            at += 1
        elif _HEADING.fullmatch(line):
            _add(found, text, start, end, "heading", block)
            at += 1
        elif line.lstrip().startswith("|") or line.count("\t") >= 2 or line.count(" | ") >= 2:
            _add(found, text, start, end, "row", block)
            at += 1
        elif _is_heading(text, lines, at):
            _add(found, text, start, end, "heading", block)
            at += 1
        else:
            stop = _paragraph_end(text, lines, at)
            marker = _BULLET.match(line)
            body = start + (marker.end() if marker else 0)
            label = next((g for g in marker.groups() if g), "") if marker else ""
            _sentences(found, text, start, lines[stop - 1][1], body, label, block, bool(marker))
            at = stop
    return found


def _lines(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for line in re.split(r"(\r\n|\n|\r|\x0b|\x0c|\u2028|\u2029)", text):
        if not re.fullmatch(r"\r\n|[\n\r\x0b\x0c\u2028\u2029]", line):
            yield start, start + len(line)
        start += len(line)


def _front_matter(text: str, lines: list[tuple[int, int]], found: list[Segment]) -> int:
    if not lines or text[slice(*lines[0])].strip() != "---":
        return 0
    for i, (start, end) in enumerate(lines[1:40], 1):
        if text[start:end].strip() in ("---", "..."):
            _add(found, text, lines[0][0], end, "layout", 0)
            return i + 1
    return 0


def _code(
    text: str, lines: list[tuple[int, int]], at: int, found: list[Segment], block: int
) -> int:
    """Take the lines between fences as they are: each is an item."""
    _add(found, text, *lines[at], "layout", block)
    at += 1
    while at < len(lines) and not text[slice(*lines[at])].lstrip().startswith("```"):
        _add(found, text, *lines[at], "item", block)
        at += 1
    if at < len(lines):
        _add(found, text, *lines[at], "layout", block)
    return at + 1


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the offsets without white space at the ends."""
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    return (start + left, start + len(piece.rstrip())) if piece.strip() else (start, start)


def _add(
    found: list[Segment], text: str, start: int, end: int, kind: Kind, block: int,
    body: int | None = None, label: str = "",
) -> None:  # fmt: skip
    start, end = trimmed(text, start, end)
    if end > start:
        body = min(max(start, start if body is None else body), end)
        found.append(Segment(start, end, kind, body, label, block))


def _is_heading(text: str, lines: list[tuple[int, int]], at: int) -> bool:
    """Whether a plain line is a title: short, without a verb, a quantity or a full stop."""
    start, end = lines[at]
    line = text[start:end].strip()
    following = text[slice(*lines[at + 1])].strip() if at + 1 < len(lines) else ""
    if re.fullmatch(r"[=~-]{3,}", following) and len(following) >= 3 and len(line) < 100:
        return True
    marker = _BULLET.match(line)
    content = line[marker.end() :].strip() if marker else line
    rest = next((text[s:e] for s, e in lines[at + 1 :] if text[s:e].strip()), "")
    deeper = len(rest) - len(rest.lstrip()) > len(text[start:end]) - len(text[start:end].lstrip())
    if marker and content.endswith(":") and deeper:
        return True
    if not content:
        return False
    alone_first = at == 0 and not marker and not following and rest and len(content) < 110
    if alone_first and not re.search(r"\b(?:were|was)\b|\d\s?(?:min|h|hr|hours?)\b", content):
        return content[-1] not in ".:" or len(content) < 60
    if not content or len(content) > 90 or content[-1] in ".;,!?" or _QUANTITY_LIKE.search(content):
        return False
    if re.fullmatch(r"\*\*[^*]+\*\*:?|__[^_]+__:?|\*\*[^*]+:\*\*", content):
        return bool(rest)
    if at == 0 and not marker and following and len(following) > 1.5 * len(content):
        return content[0].isupper() and not re.search(r"\b(?:were|was)\b", content)
    if _VERB_LIKE.search(content) or not rest:
        return False
    if marker:
        deeper = len(rest) - len(rest.lstrip()) > len(text[start:end]) - len(
            text[start:end].lstrip()
        )
        inner = _BULLET.match(rest)
        if (
            inner
            and (inner["number"] or inner["inner"] or inner["dotted"] or "") in ("1", "a")
            and not marker["number"]
        ):
            return True
        return (content.endswith(":") and bool(inner)) or (deeper and bool(inner))
    if content.endswith(":"):
        return len(content.split()) <= 10
    alone = not following or bool(_BULLET.match(following))
    title = content[0].isupper() or content[0].isdigit()
    return (alone or at == 0) and title and len(content.split()) <= 12


def _paragraph_end(text: str, lines: list[tuple[int, int]], at: int) -> int:
    """Return the line after the paragraph or item that begins at line *at*."""
    stop = at + 1
    ragged = _is_ragged(text, lines, at)
    while stop < len(lines):
        line = text[slice(*lines[stop])]
        if (
            not line.strip() or _BULLET.match(line) or _HEADING.fullmatch(line)
            or line.lstrip().startswith(("|", "```", "![")) or _UNDERLINE.fullmatch(line)
            or line.count("\t") >= 2
        ):  # fmt: skip
            break
        before = text[slice(*lines[stop - 1])]
        if _LABEL.match(line):
            break
        if ragged and before.rstrip()[-1] not in ",(/-–+":
            break
        if _breaks(before, line, max(e - s for s, e in lines[at : stop + 1])):
            break
        stop += 1
    return stop


def _is_ragged(text: str, lines: list[tuple[int, int]], at: int) -> bool:
    """Whether the lines from *at* to the next empty one are a list without marks: short and uneven."""
    block: list[str] = []
    while at and text[slice(*lines[at - 1])].strip():
        at -= 1
    for start, end in lines[at:]:
        if not text[start:end].strip():
            break
        block.append(text[start:end].rstrip())
    if len(block) < 3:
        return False
    width = max(map(len, block))
    # in a wrapped paragraph the next word would not have fitted
    loose = sum(
        len(line) + 1 + len(after.split()[0]) < width - 1
        for line, after in itertools.pairwise(block)
    )
    return 2 * loose >= len(block) - 1


def _breaks(before: str, line: str, width: int) -> bool:
    """Whether a line end ends the paragraph: the next line begins anew and this one is not full."""
    head = line.strip()[0]
    tail = before.rstrip()[-1]
    if tail in ",(/-–" or head.islower() or head in "(,;.)/":
        return False
    if tail in ".:;!?":
        return len(before.rstrip()) < 0.7 * width or tail in ":;"
    first = line.split()[0]
    return len(before.rstrip()) + len(first) < 0.75 * max(width, 60)


def _sentences(
    found: list[Segment], text: str, start: int, end: int, body: int, label: str, block: int, item: bool
) -> None:  # fmt: skip
    first, at = True, start
    for cut in _bounded(text, body, [*_cuts(text, body, end), end]):
        kind: Kind = "item" if item and first else "sentence"
        _add(found, text, at, cut, kind, block, body if first else None, label if first else "")
        first, at = False, cut


def _bounded(text: str, start: int, cuts: Sequence[int]) -> Iterator[int]:
    """Yield *cuts*, and one more in every 3000 characters that have none: no sentence is so long."""
    for cut in cuts:
        while cut - start > _LONGEST:
            blank = text.rfind(" ", start, start + _LONGEST)
            start = blank if blank > start else start + _LONGEST
            yield start
        yield cut
        start = cut


def _cuts(text: str, start: int, end: int) -> Iterator[int]:
    depth_at = _depths(text, start, end)
    for match in _END.finditer(text, start, end):
        cut = match.end()
        rest = text[cut:end].lstrip()
        if not rest or depth_at(match.start()) > 0:
            continue
        if re.fullmatch(r"\W*[A-Za-z]+(?:\s(?:[IVX]+|[A-Za-z]+))?[.]\W*", text[start:cut]):
            continue  # a label at the head: Wash. Water, 2 × 30 min
        head = text[max(start, match.start() - 14) : match.start() + 1]
        if text[match.start()] == ".":
            if _NEVER.search(head):
                continue
            if _ABBREVIATIONS.search(head) and not re.match(r"[A-Z(][a-z]+", rest):
                continue
            if not re.match(r"[\"'“‘(\[*_]*(?:[A-ZÄÖÜ0-9•µμ−-]|p[A-Z]|[a-z]{1,2}[A-Z])", rest):
                continue
        yield cut


def _depths(text: str, start: int, end: int):  # type: ignore[no-untyped-def]
    """Return a function that tells how deep in balanced parentheses an offset is."""
    inside: list[tuple[int, int]] = []
    opened: list[int] = []
    for match in re.finditer(r"[()]", text[start:end]):
        place = start + match.start()
        if match[0] == "(":
            opened.append(place)
        elif opened:
            inside.append((opened.pop(), place))
    spans = [(a, b) for a, b in inside if b - a < 300]
    return lambda place: sum(a < place < b for a, b in spans)
