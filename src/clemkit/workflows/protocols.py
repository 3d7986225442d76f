"""Protocols from files: read, shown, checked, compared, and written in other forms."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clemkit.errors import ArgumentError, Problem

if TYPE_CHECKING:
    from clemkit.metadata.protocols.diff import ProtocolDifference
    from clemkit.metadata.protocols.reading import ProtocolReading

__all__ = [
    "FORMATS",
    "SYNTAXES",
    "Written",
    "add_to_description",
    "check_file",
    "diff_files",
    "load",
    "protocol_rows",
    "write_description",
    "write_rdf",
    "write_spw",
    "write_text",
]

FORMATS: Final = ("paragraph", "markdown", "html", "summary")
SYNTAXES: Final = ("turtle", "nt", "jsonld", "trig")
_SYNTAX_OF = {".ttl": "turtle", ".nt": "nt", ".jsonld": "jsonld", ".trig": "trig"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a command made.

    Attributes
    ----------
    text : str
        The result, also when it went to a file.
    path : Path or None
        The file.
    reading : ProtocolReading
        What it was made from.
    findings : tuple of Problem
        What was not certain, or could not be said in the form that was asked for.
    """

    text: str
    path: Path | None
    reading: ProtocolReading
    findings: tuple[Problem, ...] = ()


def load(
    path: str | Path, *, kind: str | None = None, extractor: str | None = None
) -> ProtocolReading:
    """Read a protocol file of any kind.

    Raises
    ------
    NotFoundError, ArgumentError, FormatError
        See `clemkit.metadata.protocols.readers.read_protocol`.
    """
    from clemkit.metadata.protocols.readers import read_protocol

    return read_protocol(path, kind=kind, extractor=extractor)


def write_description(
    path: str | Path,
    output: str | Path | None = None,
    *,
    kind: str | None = None,
    extractor: str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> Written:
    """Return a protocol file as a description in YAML, and write it where *output* is given.

    Raises
    ------
    InvalidMetadataError
        What was read does not fit the model.
    FileExistsError
        The output exists and *overwrite* is false.
    """
    import yaml

    from clemkit.metadata.models import build, to_plain
    from clemkit.metadata.shorthand import shortened

    reading = load(path, kind=kind, extractor=extractor)
    data = shortened(to_plain(build(reading.data)))
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)
    target = _written(text, output, overwrite=overwrite, dry_run=dry_run)
    return Written(text=text, path=target, reading=reading, findings=reading.findings)


def add_to_description(
    path: str | Path,
    into: str | Path,
    output: str | Path | None = None,
    *,
    kind: str | None = None,
    extractor: str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> Written:
    """Add a protocol and what it refers to to a description, and return the difference.

    Parameters
    ----------
    path : path
        The protocol file.
    into : path
        The description, YAML. Its text is only added to, so comments stay.
    output : path, optional
        Where the description with the additions goes; nothing is written when it is not given.
        It may be *into* itself, with *overwrite*.

    Raises
    ------
    ArgumentError
        The description cannot be added to as text.
    FileExistsError
        The output exists and *overwrite* is false.
    """
    from clemkit.metadata.load import read_document
    from clemkit.metadata.models import build
    from clemkit.metadata.protocols.additions import additions, inserted

    reading = load(path, kind=kind, extractor=extractor)
    build(reading.data)
    target = Path(into)
    document = read_document(target)
    build(document.data)
    before = target.read_bytes().decode("utf-8")
    after = inserted(before, additions(document.data, reading.data), target)
    written = _written(after, output, overwrite=overwrite, dry_run=dry_run)
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), str(into), "with it"
    )
    text = "".join(line if line.endswith("\n") else line + "\n" for line in lines)
    return Written(text=text, path=written, reading=reading, findings=reading.findings)


def protocol_rows(reading: ProtocolReading, protocol: str | None = None) -> list[dict[str, Any]]:
    """Return the steps of the protocols as rows for a table.

    Returns
    -------
    list of dict
        ``protocol``, ``number`` (from 1), ``label``, ``step``, ``what``, ``flags``.
    """
    from clemkit.metadata.protocols.step_words import class_words, step_words

    names = _names(reading.data)
    rows = []
    for _, chosen in _chosen(reading.data, protocol):
        for number, step in enumerate(chosen.get("steps", ()), 1):
            flags = [
                words
                for key, words in (
                    ("is_critical", "critical"),
                    ("is_pause_point", "pause point"),
                    ("is_optional", "optional"),
                )
                if step.get(key)
            ]
            rows.append(
                {
                    "protocol": chosen["id"],
                    "number": number,
                    "label": step.get("step_label", ""),
                    "step": class_words(step["type"]),
                    "what": " ".join(step_words(step, names).split()),
                    "flags": flags,
                }
            )
    return rows


def check_file(
    path: str | Path, *, kind: str | None = None, extractor: str | None = None
) -> tuple[ProtocolReading, tuple[Problem, ...]]:
    """Return what was read and what is implausible in it; locations are paths into the reading."""
    from clemkit.metadata.protocols.check import check_protocol

    reading = load(path, kind=kind, extractor=extractor)
    reagents = reading.data.get("reagents", ())
    found = [
        Problem(("protocols", i, *p.location), p.rule, p.severity, p.message, p.hint)
        for i, protocol in _chosen(reading.data, None)
        for p in check_protocol(protocol, reagents)
    ]
    return reading, tuple(found)


def diff_files(
    first: str | Path,
    second: str | Path,
    *,
    kind: str | None = None,
    extractor: str | None = None,
) -> ProtocolDifference:
    """Return which steps, times, concentrations differ between two protocol files.

    Raises
    ------
    ArgumentError
        One of them holds several protocols.
    """
    from clemkit.metadata.protocols.diff import diff_protocols

    readings = [load(p, kind=kind, extractor=extractor) for p in (first, second)]
    protocols = [_single(r.data, p) for r, p in zip(readings, (first, second), strict=True)]
    reagents = [r.data.get("reagents", ()) for r in readings]
    return diff_protocols(*protocols, *reagents)


def write_rdf(
    path: str | Path,
    output: str | Path | None = None,
    syntax: str | None = None,
    *,
    kind: str | None = None,
    extractor: str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> Written:
    """Return a protocol file as linked data; the ending of *output* chooses the syntax.

    Raises
    ------
    ArgumentError
        The syntax is not one of `SYNTAXES`.
    FileExistsError
        The output exists and *overwrite* is false.
    """
    from clemkit.metadata.models import build
    from clemkit.metadata.protocols.linked import linked_text

    by_ending = _SYNTAX_OF.get(Path(output).suffix, "turtle") if output else "turtle"
    chosen = syntax or by_ending
    if chosen not in SYNTAXES:
        raise ArgumentError(f"--format: expected {', '.join(SYNTAXES)}; found {chosen!r}")
    reading = load(path, kind=kind, extractor=extractor)
    text = linked_text(build(reading.data), chosen)
    target = _written(text, output, overwrite=overwrite, dry_run=dry_run)
    return Written(text=text, path=target, reading=reading, findings=reading.findings)


def write_spw(
    path: str | Path,
    output: str | Path | None = None,
    *,
    protocol: str | None = None,
    kind: str | None = None,
    extractor: str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> Written:
    """Return a protocol file as a document of the Specimen Preparation Widget.

    The findings of the result say what its form cannot hold.

    Raises
    ------
    ArgumentError
        There are several protocols and none was chosen.
    FileExistsError
        The output exists and *overwrite* is false.
    """
    from clemkit.metadata.models import build, to_plain
    from clemkit.metadata.protocols.spw import to_spw

    reading = load(path, kind=kind, extractor=extractor)
    writing = to_spw(to_plain(build(reading.data)), protocol=protocol)
    text = json.dumps(writing.document, indent=2, ensure_ascii=False) + "\n"
    target = _written(text, output, overwrite=overwrite, dry_run=dry_run)
    return Written(text=text, path=target, reading=reading, findings=writing.findings)


def write_text(
    path: str | Path,
    output: str | Path | None = None,
    form: str = "paragraph",
    *,
    protocol: str | None = None,
    kind: str | None = None,
    extractor: str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> Written:
    """Return a protocol file as words: a methods paragraph, one sentence, Markdown, HTML.

    Raises
    ------
    ArgumentError
        The form is not one of `FORMATS`.
    FileExistsError
        The output exists and *overwrite* is false.
    """
    if form not in FORMATS:
        raise ArgumentError(f"--format: expected {', '.join(FORMATS)}; found {form!r}")
    reading = load(path, kind=kind, extractor=extractor)
    text = _in_words(reading.data, form, protocol)
    text = text if text.endswith("\n") else text + "\n"
    target = _written(text, output, overwrite=overwrite, dry_run=dry_run)
    return Written(text=text, path=target, reading=reading, findings=reading.findings)


def _in_words(data: Mapping[str, Any], form: str, protocol: str | None) -> str:
    if form == "markdown":
        from clemkit.metadata.protocols.markdown import to_markdown

        return to_markdown(data, protocol_id=protocol)
    if form == "html":
        from clemkit.metadata.protocols.html import to_html

        return to_html(data, protocol_id=protocol)
    from clemkit.metadata.protocols.prose import methods_paragraph, summary_sentence

    write = methods_paragraph if form == "paragraph" else summary_sentence
    return "\n\n".join(write(chosen, data) for _, chosen in _chosen(data, protocol))


def _chosen(data: Mapping[str, Any], name: str | None) -> Sequence[tuple[int, Mapping[str, Any]]]:
    every = list(enumerate(data.get("protocols", ())))
    found = [(i, p) for i, p in every if name in (None, p["id"])]
    if not found:
        known = ", ".join(p["id"] for _, p in every) or "none"
        raise ArgumentError(f"--protocol: expected one of {known}; found {name!r}")
    return found


def _single(data: Mapping[str, Any], path: str | Path) -> Mapping[str, Any]:
    found = _chosen(data, None)
    if len(found) > 1:
        known = ", ".join(p["id"] for _, p in found)
        raise ArgumentError(f"{path}: expected one protocol to compare; found {known}")
    return found[0][1]


def _names(data: Mapping[str, Any]) -> dict[str, str]:
    return {m["id"]: str(m.get("name") or m["id"]) for m in data.get("reagents", ())}


def _written(
    text: str, output: str | Path | None, *, overwrite: bool, dry_run: bool
) -> Path | None:
    if output is None:
        return None
    target = Path(output)
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target}: exists; pass --overwrite to replace it")
    if dry_run:
        return target
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8", newline="")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return target
