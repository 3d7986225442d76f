"""One door for protocol files: what a file is, is seen in its content, not in its name alone."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from clemkit.errors import ArgumentError, FormatError, InvalidMetadataError, NotFoundError, Problem
from clemkit.metadata.protocols.reading import ProtocolReading

__all__ = ["KINDS", "kind_of", "read_protocol"]

KINDS: Final = ("spw", "protocols.io", "text", "markdown", "docx", "table", "description")
_ZIP = b"PK\x03\x04"
_TABLES = (".csv", ".tsv", ".xlsx", ".xlsm")
_DESCRIPTIONS = (".yaml", ".yml")
_MARKDOWN = re.compile(r"(?m)^#{1,6} |^\s*[-*+] \[[ x]\] |^\|.*\|\s*$|^```")
_CLEMKIT_KEYS = re.compile(r"(?m)^(protocols|reagents|study|model_version|specimens)\s*:")
Extractor = Callable[[str], Mapping[str, Any]] | Sequence[str]


def read_protocol(
    path: str | Path, *, kind: str | None = None, extractor: Extractor | str | None = None
) -> ProtocolReading:
    """Read a protocol from a file.

    Parameters
    ----------
    path : path
        SPW or protocols.io JSON, plain text, Markdown, Word, a spreadsheet or CSV table, or a
        description of clemkit that holds protocols.
    kind : str, optional
        One of `KINDS`, where the content should not decide.
    extractor : callable, str or sequence of str, optional
        Reads the words instead of clemkit's rules: a function of the text, or a program that gets
        the text on its standard input and writes a description as JSON. Its answer passes the same
        checks. Only for words: text, Markdown and Word.

    Returns
    -------
    ProtocolReading
        A description in long form, and findings; materials refer to entries with their terms
        where the lexicon knows them.

    Raises
    ------
    NotFoundError
        There is no such file.
    ArgumentError
        The kind is not one of `KINDS`, or an extractor was given for a file without prose.
    FormatError
        The file is not what it should be.
    """
    source = Path(path)
    if not source.is_file():
        raise NotFoundError(f"{source}: expected a protocol; found no such file")
    found = kind if kind is not None else kind_of(source)
    if found not in KINDS:
        raise ArgumentError(f"kind of protocol: expected {', '.join(KINDS)}; found {found!r}")
    if extractor is not None:
        if found not in ("text", "markdown", "docx"):
            raise ArgumentError(
                f"{source}: an extractor reads words: text, markdown or docx; found {found}"
            )
        return _extracted(source, found, extractor)
    return _with_steps_or_finding(_READERS[found](source))


def _with_steps_or_finding(reading: ProtocolReading) -> ProtocolReading:
    """Say so where nothing was read: an empty file has nothing wrong in it, and nothing right."""
    if any(p.get("steps") for p in reading.data.get("protocols") or ()):
        return reading
    message = "expected steps; found none"
    empty = Problem(("protocols",), "protocol-empty", "warning", message, "is it the right file?")
    return replace(reading, findings=(*reading.findings, empty))


def kind_of(path: str | Path) -> str:
    """Return which of `KINDS` a file is, by its content first.

    Raises
    ------
    FormatError
        It is binary and no Word or Excel file, or JSON of no known shape.
    """
    source = Path(path)
    head = source.read_bytes()[:4]
    suffix = source.suffix.lower()
    if head == _ZIP:
        if suffix in (".xlsx", ".xlsm", ".docx"):
            return "docx" if suffix == ".docx" else "table"
        return _kind_of_archive(source)
    text = _text(source)
    if text.lstrip()[:1] in ("{", "[") and suffix not in (".md", ".txt"):
        return _kind_of_json(text, source)
    if suffix in _DESCRIPTIONS or (suffix == "" and _CLEMKIT_KEYS.search(text)):
        return "description"
    if suffix in _TABLES:
        return "table"
    if suffix in (".md", ".markdown"):
        return "markdown"
    return "markdown" if suffix == "" and _MARKDOWN.search(text) else "text"


def _kind_of_archive(source: Path) -> str:
    import zipfile

    try:
        names = zipfile.ZipFile(source).namelist()
    except zipfile.BadZipFile as error:
        raise FormatError(source, f"expected Word or Excel; found {error}") from error
    if "word/document.xml" in names:
        return "docx"
    if "xl/workbook.xml" in names:
        return "table"
    raise FormatError(source, "expected Word or Excel; found another ZIP archive")


def _kind_of_json(text: str, source: Path) -> str:
    from clemkit.metadata.protocols.protocols_io import is_protocols_io
    from clemkit.metadata.protocols.spw import is_spw, parse_json

    document, _ = parse_json(text, source)
    if is_spw(document):
        return "spw"
    if is_protocols_io(document):
        return "protocols.io"
    if isinstance(document, Mapping) and "protocols" in document:
        return "description"
    keys = ", ".join(list(document)[:6]) if isinstance(document, Mapping) else "no object"
    raise FormatError(
        source,
        "expected JSON of the Specimen Preparation Widget (data, metadata), of protocols.io "
        f"(steps) or of clemkit (protocols); found {keys}",
    )


def _text(source: Path) -> str:
    try:
        words = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(
            source,
            f"expected UTF-8; found byte {error.object[error.start]:#x} at {error.start}; "
            "save it as UTF-8",
        ) from error
    if "\0" in words:
        raise FormatError(source, f"expected text; found a zero byte at {words.index(chr(0))}")
    return words


def _json(source: Path) -> tuple[Any, tuple[Problem, ...]]:
    from clemkit.metadata.protocols.spw import parse_json

    return parse_json(_text(source), source)


def _read_spw(source: Path) -> ProtocolReading:
    from clemkit.metadata.protocols.grounded import grounded
    from clemkit.metadata.protocols.spw import read_spw

    document, findings = _json(source)
    reading = _as_file(source, lambda: read_spw(document, source=source.name))
    return _with(grounded(reading), findings)


def _read_protocols_io(source: Path) -> ProtocolReading:
    from clemkit.metadata.protocols.protocols_io import read_protocols_io

    document, findings = _json(source)
    reading = _as_file(
        source, lambda: read_protocols_io(document, name=source.stem, source_file=source.name)
    )
    return _with(reading, findings)


def _read_text(source: Path) -> ProtocolReading:
    from clemkit.metadata.protocols.text import read_text

    return read_text(_text(source), name=source.stem, source_file=source.name)


def _read_markdown(source: Path) -> ProtocolReading:
    from clemkit.metadata.protocols.text import read_markdown

    return read_markdown(_text(source), name=source.stem, source_file=source.name)


def _read_docx(source: Path) -> ProtocolReading:
    from clemkit.metadata.protocols.text import read_docx

    return read_docx(source)


def _read_table(source: Path) -> ProtocolReading:
    from clemkit.metadata.protocols.text import read_table

    return read_table(source)


def _read_description(source: Path) -> ProtocolReading:
    from clemkit.metadata.load import read_document
    from clemkit.metadata.validate import validate

    document = read_document(source)
    problems = validate(document).problems
    wrong = [p for p in problems if p.rule[:2] in ("L0", "L1")]
    if wrong:
        raise InvalidMetadataError(
            f"{source}:{document.line_of(wrong[0].location)}: the description does not fit the "
            f"model in {len(wrong)} places: {wrong[0]}",
            wrong,
        )
    if not document.data.get("protocols"):
        raise FormatError(source, "expected a description with protocols; found none in it")
    return ProtocolReading(data=document.data)


def _extracted(source: Path, kind: str, extractor: Extractor | str) -> ProtocolReading:
    from clemkit.metadata.protocols.text.external import read_with

    if kind == "docx":
        text = str(_read_docx(source).data["protocols"][0].get("source_text", ""))
    else:
        text = _text(source)
    reader = shlex.split(extractor) if isinstance(extractor, str) else extractor
    if not reader:
        raise ArgumentError("extractor: expected a command; found none")
    return read_with(reader, text, name=source.stem, source_file=source.name)


def _as_file(source: Path, read: Callable[[], ProtocolReading]) -> ProtocolReading:
    try:
        return read()
    except ArgumentError as error:
        raise FormatError(source, str(error)) from error


def _with(reading: ProtocolReading, findings: tuple[Problem, ...]) -> ProtocolReading:
    return ProtocolReading(data=reading.data, findings=(*findings, *reading.findings))


_READERS: Final[Mapping[str, Callable[[Path], ProtocolReading]]] = {
    "description": _read_description,
    "docx": _read_docx,
    "markdown": _read_markdown,
    "protocols.io": _read_protocols_io,
    "spw": _read_spw,
    "table": _read_table,
    "text": _read_text,
}
