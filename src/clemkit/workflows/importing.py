"""Descriptions in other forms, recognised by their content and read into the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clemkit.errors import DataError, FormatError, NotFoundError, Problem

if TYPE_CHECKING:
    from clemkit.workflows.imported import Imported

__all__ = ["import_description", "import_file"]

_METADATA = "ro-crate-metadata.json"
_RDF = {".ttl": "turtle", ".nt": "nt", ".jsonld": "jsonld", ".trig": "trig"}
_KNOWN = (
    "PageTab (JSON, TSV), RO-Crate metadata, EMPIAR entries and depositions (JSON), "
    "MIFA and REMBI proposals (YAML), CAi REMBI sheets (xlsx), RDF of clemkit"
)


def import_file(path: str | Path) -> tuple[dict[str, Any], tuple[tuple[str, Problem], ...]]:
    """Read a description in another form.

    Parameters
    ----------
    path : path
        A file, or the folder of an RO-Crate.

    Returns
    -------
    dict
        The experiment in long form. What has no field is kept in ``archive_settings``.
    tuple of (str, Problem)
        Place in the source, and what could not be read into a field there.

    Raises
    ------
    NotFoundError
        There is no such file.
    FormatError
        Its form is not known.
    """
    source = Path(path)
    if source.is_dir():
        source = source / _METADATA
    if not source.is_file():
        raise NotFoundError(f"{source}: expected a description in another form; found no such file")
    if source.suffix.lower() in (".xlsx", ".xlsm"):
        return _workbook(source)
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(source, f"expected {_KNOWN}; found bytes that are no text") from error
    return _text(source, text)


def import_description(
    path: str | Path, output: str | Path | None = None, *, overwrite: bool = False
) -> Imported:
    """Read a description in another form, and write it as ``experiment.yaml``.

    Parameters
    ----------
    path : path
        What :func:`import_file` takes.
    output : path, optional
        Where to write; None only reads.
    overwrite : bool
        Replace an output that exists.
    """
    from clemkit.workflows.imported import Imported, finished

    data, findings = import_file(path)
    return finished(Imported(Path(path), data, findings), output, overwrite)


def _text(source: Path, text: str) -> tuple[dict[str, Any], tuple[tuple[str, Problem], ...]]:
    from clemkit.deposition.bia.pagetab_document import is_pagetab, read_pagetab
    from clemkit.deposition.bia.pagetab_import import import_pagetab
    from clemkit.deposition.json_lines import read_json_lines
    from clemkit.deposition.rocrate.importing import import_crate, is_crate

    if is_pagetab(text):
        document = read_pagetab(source)
        data, problems = import_pagetab(document.data)
        return data, tuple((str(document.line_of(p.location)), p) for p in problems)
    if is_crate(text):
        _, lines = read_json_lines(text, source)
        files = {p.name: p.read_bytes() for p in source.parent.glob("*.tsv")}
        data, problems = import_crate({**files, _METADATA: text.encode()}, source)
        return data, tuple((_line(lines, p.location), p) for p in problems)
    if source.suffix.lower() in _RDF:
        from clemkit.metadata.models import to_plain
        from clemkit.metadata.rdf import parse

        try:
            return to_plain(parse(text, _RDF[source.suffix.lower()])), ()
        except DataError as error:
            raise FormatError(source, str(error)) from error
    if text.lstrip().startswith("<") and "OME" in text:
        message = f"expected {_KNOWN}; found XML"
        raise FormatError(source, f"{message}; OME-XML is for `clemkit metadata from-ome`")
    if text.lstrip().startswith(("{", "[")):
        return _json(source, text)
    return _yaml(source, text)


def _line(lines: Mapping[tuple[str | int, ...], int], location: tuple[str | int, ...]) -> str:
    while location and location not in lines:
        location = location[:-1]
    return str(lines.get(location, 1))


def _json(source: Path, text: str) -> tuple[dict[str, Any], tuple[tuple[str, Problem], ...]]:
    from clemkit.deposition.empiar import import_entry
    from clemkit.metadata.protocols.spw import is_spw, read_spw

    try:
        content = json.loads(text)
    except ValueError as error:
        raise FormatError(
            source, f"expected {_KNOWN}; found JSON with an error, {error}"
        ) from error
    if is_spw(content):
        found = read_spw(content, source=source.name)
        return dict(found.data), tuple((_place(p.location), p) for p in found.findings)
    if isinstance(content, Mapping) and _is_empiar(content):
        entry = import_entry(content)
        return dict(entry.data), tuple((_place(p.location), p) for p in entry.problems)
    raise FormatError(source, f"expected {_KNOWN}; found JSON of another kind")


def _is_empiar(content: Mapping[str, Any]) -> bool:
    if {"title", "imagesets"} <= set(content):
        return True
    return bool(content) and all(str(key).startswith("EMPIAR-") for key in content)


def _place(location: tuple[str | int, ...]) -> str:
    return "/".join(map(str, location)) or "1"


def _yaml(source: Path, text: str) -> tuple[dict[str, Any], tuple[tuple[str, Problem], ...]]:
    from clemkit.deposition.rembi.mifa import import_mifa, is_mifa
    from clemkit.deposition.rembi.proposal import import_proposal, is_proposal
    from clemkit.metadata.load import read_text

    document = read_text(text, source)
    if is_proposal(document.raw):
        data, problems = import_proposal(document.raw)
    elif is_mifa(document.raw):
        data, problems = import_mifa(document.raw)
    else:
        raise FormatError(source, f"expected {_KNOWN}; found YAML of another kind")
    return data, tuple((str(document.line_of(p.location)), p) for p in problems)


def _workbook(source: Path) -> tuple[dict[str, Any], tuple[tuple[str, Problem], ...]]:
    from clemkit.deposition.rembi.cai_sheet import SHEET, import_cai_sheet, is_cai_sheet

    rows = _rows(source, SHEET)
    if not is_cai_sheet(rows):
        message = "expected the sheet of CAi; found another workbook"
        raise FormatError(source, f"{message}; clemkit's own is read by `metadata from-xlsx`")
    data, problems = import_cai_sheet(rows)
    return data, tuple((_place(p.location), p) for p in problems)


def _rows(source: Path, sheet: str) -> list[tuple[Any, ...]]:
    from clemkit.errors import MissingExtraError

    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise MissingExtraError("openpyxl", "metadata") from error
    book = load_workbook(source, read_only=True, data_only=True)
    try:
        if sheet not in book.sheetnames:
            return []
        return [tuple(row) for row in book[sheet].iter_rows(values_only=True)]
    finally:
        book.close()
