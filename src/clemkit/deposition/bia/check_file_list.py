"""Checking the list of files of a BIA crate against its metadata."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from clemkit.deposition.bia.vocabulary import COLUMN_TARGETS, NAMESPACES
from clemkit.errors import Problem

__all__ = ["check_file_list"]

_LISTS = {
    "bia:associatedAnnotationMethod",
    "bia:associatedBiologicalEntity",
    "bia:associatedImageAcquisitionProtocol",
    "bia:associatedImagingPreparationProtocol",
    "bia:associatedProtocol",
    "bia:associatedSourceImage",
}
_IMAGE = f"{NAMESPACES['bia']}Image"


def _full(compact: str) -> str:
    prefix, _, local = compact.partition(":")
    return NAMESPACES[prefix] + local


def _error(place: tuple[str | int, ...], rule: str, message: str, hint: str = "") -> Problem:
    return Problem(place, rule, "error", message, hint)


def check_file_list(
    entity: Mapping[str, Any],
    graph: list[dict[str, Any]],
    kinds: Mapping[str, str],
    files: Mapping[str, bytes],
) -> Iterator[Problem]:
    """Yield what is wrong with the list of files.

    Parameters
    ----------
    entity : mapping
        The entity of the list.
    graph : list of dict
        All entities.
    kinds : mapping of str to str
        Class of the archive by id.
    files : mapping of str to bytes
        Files of the crate.
    """
    by_id = {str(e.get("@id")): e for e in graph}
    name = unquote(str(entity.get("@id")))
    schema = by_id.get(next(_ids(entity.get("tableSchema")), ""), {})
    columns: dict[str, str] = {}
    described: set[str] = set()
    for reference in _ids(schema.get("column")):
        column = by_id.get(reference, {})
        described.add(str(column.get("columnName")))
        if column.get("propertyUrl"):
            columns[str(column["propertyUrl"])] = str(column.get("columnName"))
    for wanted in ("bia:filePath", "schema:isPartOf"):
        if _full(wanted) not in columns:
            message = f"expected a column with the property {_full(wanted)}; found none"
            yield _error((name,), "BC-column-missing", message, "describe it in the table schema")
    if name not in files:
        yield _error((name,), "BC-file-missing", f"expected the file {name}; found none")
        return
    try:
        text = files[name].decode("utf-8-sig")
    except UnicodeDecodeError:
        yield _error((name,), "BC-file-list", f"expected UTF-8 in {name}; found other bytes")
        return
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter="\t")
    header = list(reader.fieldnames or ())
    for title in header:
        if title not in described:
            message = f"expected a description of the column {title!r}; found none"
            yield _error((name, 1), "BC-column-unknown", message)
    for meaning, title in columns.items():
        if title not in header and meaning in (_full("bia:filePath"), _full("schema:isPartOf")):
            message = f"expected the column {title!r} in {name}; found {', '.join(header)}"
            yield _error((name, 1), "BC-column-missing", message)
    rows = list(reader)
    yield from _paths(rows, columns, name)
    yield from _targets(rows, columns, kinds, name)
    yield from _sources(rows, columns, name)


def _ids(value: Any) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, Mapping) and isinstance(item.get("@id"), str):
            yield item["@id"]


def _paths(rows: list[dict[str, str]], columns: Mapping[str, str], name: str) -> Iterator[Problem]:
    column = columns.get(_full("bia:filePath"), "")
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, 2):
        path = row.get(column) or ""
        if not path.strip():
            message = f"expected a path in row {number}; found none"
            yield _error((name, number), "BC-path", message)
        elif path in seen:
            message = f"expected each file once; found {path!r} in rows {seen[path]} and {number}"
            yield _error((name, number), "BC-duplicate-path", message, "take one out")
        seen.setdefault(path, number)


def _values(row: Mapping[str, str], column: str, is_list: bool) -> list[str]:
    text = (row.get(column) or "").strip()
    if not is_list:
        return [text] if text else []
    parts = re.split(r"\s*,\s*", text.strip("[] "))
    return [p.strip().strip("\"'") for p in parts if p.strip()]


def _targets(
    rows: list[dict[str, str]], columns: Mapping[str, str], kinds: Mapping[str, str], name: str
) -> Iterator[Problem]:
    for meaning, wanted in COLUMN_TARGETS.items():
        column = columns.get(_full(meaning))
        for number, row in enumerate(rows, 2) if column else ():
            for target in _values(row, str(column), meaning in _LISTS):
                kind = kinds.get(target)
                if kind != wanted:
                    found = f"{target!r}, a {kind}" if kind else f"{target!r}, which is nowhere"
                    message = f"expected a {wanted} in {column} of row {number}; found {found}"
                    yield _error((name, number), "BC-row-reference", message)


def _sources(
    rows: list[dict[str, str]], columns: Mapping[str, str], name: str
) -> Iterator[Problem]:
    column = columns.get(_full("bia:associatedSourceImage"))
    if column is None:
        return
    type_column = columns.get(_full("rdf:type"))
    if type_column is None:
        message = f"expected a column for rdf:type, since {column!r} refers to images; found none"
        yield _error((name, 1), "BC-column-missing", message)
        return
    path_column = columns.get(_full("bia:filePath"), "")
    label_column = columns.get(_full("schema:name"), "")
    types: dict[str, str] = {}
    for key in (path_column, label_column):
        types |= {row[key]: row.get(type_column) or "" for row in rows if row.get(key)}
    for number, row in enumerate(rows, 2):
        for target in _values(row, column, True):
            if types.get(target) != _IMAGE:
                found = (
                    f"{target!r}, of type {types[target]!r}" if target in types else f"{target!r}"
                )
                message = f"expected the label or path of an image; found {found}"
                yield _error((name, number), "BC-source-image", message)
