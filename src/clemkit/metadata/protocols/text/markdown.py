"""Markdown: its marks are set aside for reading, and every span leads to the text as it was."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from clemkit.errors import Problem
from clemkit.metadata.protocols.reading import ProtocolReading
from clemkit.metadata.protocols.text.gaps import fill_gaps
from clemkit.metadata.protocols.text.reader import read_prose

__all__ = ["read_markdown"]

# marks that are no words: emphasis, code, sub- and superscripts, comments; links keep their words
_MARKS = re.compile(
    r"\*{1,3}(?=\S)|(?<=\S)\*{1,3}|(?<!\w)_{1,2}(?=\w)|(?<=\w)_{1,2}(?!\w)|`|~~"
    r"|</?(?:sub|sup|b|i|em|strong|u|span|font|code|small|p|div)\b[^>]*>|<br\s*/?>|<!--.*?-->"
    r"|(?<!!)\[(?=[^\]\n]*\]\()|(?<=[^\s\]])\]\([^)\s]*(?:\s\"[^\"]*\")?\)",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{2,5}|#x[0-9a-fA-F]{2,5});")
_TITLE = re.compile(r"\A---\s*\n(?:.*\n)*?title:\s*[\"']?(?P<title>[^\n\"']+)", re.MULTILINE)


def read_markdown(
    text: str, *, name: str | None = None, source_file: str | None = None
) -> ProtocolReading:
    """Read a protocol from Markdown: headings, lists, tables and prose.

    Parameters
    ----------
    text : str
        The text. It is kept whole in ``source_text``, and spans hold offsets into it.
    name : str, optional
        Name of the protocol; otherwise its front matter or first heading says it.
    source_file : str, optional
        File that the text is from.
    """
    shown = name or _title(text)
    plain, origin = _without_marks(text)
    reading = read_prose(plain, name=shown, source_file=source_file)
    if plain == text:
        return reading
    data: Any = _moved(reading.data, text, [*origin, len(text)])
    data["protocols"][0]["source_text"] = text
    added = fill_gaps(data["protocols"][0], text, "mark", 0.9)  # marks that stand alone
    for step in data["protocols"][0]["steps"]:
        if "unparsed_text" in step:
            step["unparsed_text"] = "\n".join(
                s["verbatim"] for s in step["spans"] if "span_field" not in s
            )
    findings = tuple(_shifted(problem, added) for problem in reading.findings)
    return ProtocolReading(data=data, findings=findings)


def _shifted(problem: Problem, added: Sequence[int]) -> Problem:
    """Return a finding about a step at its place among the steps that were added."""
    if problem.location[:3] != ("protocols", 0, "steps"):
        return problem
    index = int(problem.location[3])
    for other in added:
        index += other <= index
    return replace(problem, location=(*problem.location[:3], index, *problem.location[4:]))


def _title(text: str) -> str:
    if found := _TITLE.search(text):
        return found["title"].strip()
    heading = re.search(r"^#{1,6}\s*(.+?)\s*#*$", text, re.MULTILINE)
    return re.sub(r"[*_`]", "", heading[1]) if heading else "Protocol"


def _without_marks(text: str) -> tuple[str, list[int]]:
    """Return the text without marks, and for each character where it was."""
    kept: list[str] = []
    origin: list[int] = []
    at = 0
    marks = sorted(
        [*_MARKS.finditer(text), *_ENTITY.finditer(text)], key=lambda m: (m.start(), -m.end())
    )
    for mark in marks:
        line = text[text.rfind("\n", 0, mark.start()) + 1 : mark.start()]
        if mark.start() < at or (
            not line.strip() and mark[0].startswith("*") and _rule_at(text, mark)
        ):
            continue
        kept.extend(text[at : mark.start()])
        origin.extend(range(at, mark.start()))
        if mark[0].startswith("&"):
            for character in html.unescape(mark[0]):
                kept.append(character)
                origin.append(mark.start())
        elif mark[0].lower().startswith("<br"):
            kept.append(" ")
            origin.append(mark.start())
        at = mark.end()
    kept.extend(text[at:])
    origin.extend(range(at, len(text)))
    return "".join(kept), origin


def _rule_at(text: str, mark: re.Match[str]) -> bool:
    """Whether stars make a line of their own, or a bullet."""
    line = text[mark.start() :].partition("\n")[0]
    return bool(re.fullmatch(r"[*\s]+", line) or re.match(r"\*\s", line))


def _moved(value: Any, text: str, origin: list[int]) -> Any:
    """Return *value* with its spans moved to the text as it was."""
    if isinstance(value, list | tuple):
        return [_moved(item, text, origin) for item in value]
    if not isinstance(value, Mapping):
        return value
    moved = {key: _moved(item, text, origin) for key, item in value.items()}
    if "span_start" in moved and "span_end" in moved:
        start, end = moved["span_start"], moved["span_end"]
        if "span_field" in moved:
            first, last = origin[start], origin[end - 1] + 1
        else:  # the whole of a step takes the marks around it
            first = origin[start - 1] + 1 if start else 0
            last = origin[end]
            piece = text[first:last]
            first += len(piece) - len(piece.lstrip())
            last -= len(piece) - len(piece.rstrip())
        moved |= {"span_start": first, "span_end": last, "verbatim": text[first:last]}
    return moved
