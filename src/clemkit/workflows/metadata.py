"""Checking a description with its image files, and turning it into linked data."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clemkit.errors import ArgumentError, FormatError, NotFoundError, Problem

if TYPE_CHECKING:
    from clemkit.metadata.load import Document
    from clemkit.metadata.query import Answer
    from clemkit.metadata.store import QueryStore
    from clemkit.metadata.validate import Report
    from clemkit.metadata.validate.files import ImageFacts

__all__ = [
    "describe_files",
    "export_rdf",
    "open_store",
    "query_files",
    "read_fitting",
    "repair_file",
    "validate_file",
    "write_template",
    "write_text",
]

_SYNTAX = {".ttl": "turtle", ".nt": "nt", ".jsonld": "jsonld", ".trig": "trig"}


def validate_file(
    path: str | Path,
    profiles: Sequence[str] = (),
    *,
    strict: bool = False,
    files: bool = False,
) -> Report:
    """Check one description.

    Parameters
    ----------
    path : path
        The description, YAML or JSON; or a PageTab submission, JSON or TSV.
    profiles : sequence of str
        ``rembi``, ``empiar``, ``bia``, ``gide``, or ``all``.
    strict : bool
        Warnings count as errors.
    files : bool
        Open the headers of the image files too; paths are relative to the description.
    """
    from clemkit.metadata.load import read_document
    from clemkit.metadata.model_map import profile_names
    from clemkit.metadata.validate import validate
    from clemkit.workflows.pagetab import is_pagetab_file, validate_pagetab_file

    if is_pagetab_file(path):
        return validate_pagetab_file(path, strict=strict)
    chosen = profile_names() if "all" in profiles else tuple(dict.fromkeys(profiles))
    try:
        document = read_document(path)
    except FormatError as error:
        return _not_read(Path(path), error, chosen, strict=strict)
    further = tuple(_file_problems(document.data, Path(path).parent)) if files else ()
    return validate(document, chosen, strict=strict, further=further)


def _not_read(path: Path, error: FormatError, profiles: Sequence[str], *, strict: bool) -> Report:
    """Return that a file is no YAML as a finding, so that other files are still checked."""
    from clemkit.metadata.load import Document
    from clemkit.metadata.validate import Report

    line = re.search(r"in line ([0-9]+)", error.reason)
    expected, what, hint = (*error.reason.split("; ", 2), "", "")[:3]
    message = f"{expected}; {what}" if what else expected
    found = Problem((), "L0-syntax", "error", message, hint)
    document = Document({}, {(): int(line[1]) if line else 1}, (found,), path)
    return Report(document, (found,), tuple(profiles), strict)


def repair_file(path: str | Path, *, dry_run: bool = False) -> str:
    """Repair what can be repaired without loss, and return the difference.

    Parameters
    ----------
    path : path
        The description; it is replaced as a whole, or not at all.
    dry_run : bool
        Only return the difference.
    """
    from clemkit.metadata.validate.repair import diff, repaired
    from clemkit.workflows.pagetab import is_pagetab_file, repair_pagetab_file

    source = Path(path)
    if is_pagetab_file(source):
        return repair_pagetab_file(source, dry_run=dry_run)
    report = validate_file(source)
    if any(p.rule == "L0-syntax" for p in report.problems):
        return ""
    before = source.read_bytes().decode("utf-8")
    after = repaired(report.document, before, report.problems)
    if after != before and not dry_run:
        write_text(after, source, overwrite=True)
    return diff(before, after, str(path))


def _file_problems(data: Any, folder: Path) -> Iterator[Problem]:
    from clemkit.metadata.validate.files import check_files, images_of

    for location, image in images_of(data):
        yield from check_files(image, location, describe_files(image["file_set"], folder))


def describe_files(file_set: Mapping[str, Any], folder: Path) -> ImageFacts:
    """Return what the files of one image say; reads headers, no voxels.

    Parameters
    ----------
    file_set : mapping
        ``directory``, ``file_pattern``, ``dataset_path`` of the model.
    folder : Path
        Folder of the description.
    """
    from clemkit.deposition.headers import file_facts

    return file_facts(file_set, folder)


def export_rdf(
    path: str | Path,
    output: str | Path | None = None,
    syntax: str | None = None,
    *,
    overwrite: bool = False,
) -> str:
    """Return a description as RDF, and write it where *output* is given.

    Parameters
    ----------
    path : path
        The description.
    output : path, optional
        Where the text goes; its ending chooses the syntax.
    syntax : str, optional
        ``turtle``, ``nt``, ``jsonld`` or ``trig``.

    Raises
    ------
    InvalidMetadataError
        The description does not fit the model.
    FileExistsError
        The output exists and *overwrite* is false.
    """
    from clemkit.metadata.rdf import serialize

    target = Path(output) if output is not None else None
    chosen = syntax or (_SYNTAX.get(target.suffix, "turtle") if target else "turtle")
    if chosen not in _SYNTAX.values():
        known = ", ".join(_SYNTAX.values())
        raise ArgumentError(f"--syntax: expected {known}; found {chosen!r}")
    text = serialize(_experiment(path), chosen)
    if target is not None:
        write_text(text, target, overwrite=overwrite)
    return text


def write_template(
    methods: Sequence[str],
    output: str | Path,
    *,
    experiment_id: str = "experiment",
    overwrite: bool = False,
) -> Path:
    """Write a commented description for a chain of imaging methods, and return its path.

    An output that ends in ``.xlsx`` is a workbook.

    Raises
    ------
    ArgumentError
        A method or the id is not possible.
    FileExistsError
        The output exists and *overwrite* is false.
    """
    from clemkit.metadata.model_map import model_map
    from clemkit.metadata.template import template

    pattern = model_map()["slots"]["id"]["pattern"]
    if not re.search(pattern, experiment_id):
        raise ArgumentError(f"--id: expected the form {pattern}; found {experiment_id!r}")
    target = Path(output)
    text = template(methods, experiment_id)
    if target.suffix == ".xlsx":
        from clemkit.metadata.load import read_text
        from clemkit.metadata.tables.workbook import blank_columns, write_workbook
        from clemkit.metadata.tables.write import tables_from_data

        tables = tables_from_data(read_text(text).data, blank_columns())
        write_workbook(tables, target, overwrite=overwrite)
    else:
        write_text(text, target, overwrite=overwrite)
    return target


def write_text(text: str, target: Path, *, overwrite: bool) -> None:
    """Write a text as UTF-8, atomically.

    Raises
    ------
    FileExistsError
        The file exists and *overwrite* is false.
    """
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target}: exists; pass --overwrite to replace it")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def query_files(
    paths: Sequence[str | Path],
    query: str,
    *,
    store: str | Path | None = None,
    endpoint: str | None = None,
) -> Answer:
    """Return the answer to a SPARQL query over one or many descriptions.

    Parameters
    ----------
    paths : sequence of path
        Descriptions (YAML, JSON) and RDF files.
    query : str
        A SPARQL text, or the name of a shipped query.
    store : path, optional
        Folder that keeps what was read: files that have not changed are not read again, and what
        is there already is asked too.
    endpoint : str, optional
        Address of a SPARQL endpoint, which is asked instead of files.

    Raises
    ------
    ArgumentError
        The query cannot be parsed, or nothing was named to ask, or too much.
    """
    from clemkit.metadata.query import query_text

    query_text(query)  # before anything is read
    if endpoint is not None:
        from clemkit.metadata.endpoint import ask_endpoint

        if paths or store is not None:
            raise ArgumentError("--endpoint: expected neither files nor --store; found some")
        return ask_endpoint(endpoint, query)
    if not paths and store is None:
        raise ArgumentError("query: expected at least one description; found none")
    return open_store(paths, store).query(query)


def open_store(paths: Sequence[str | Path], folder: str | Path | None = None) -> QueryStore:
    """Return a store with descriptions and RDF files.

    Parameters
    ----------
    paths : sequence of path
        Descriptions (YAML, JSON) and RDF files.
    folder : path, optional
        Where the store is kept; in memory when not given. What has not changed is not read again.
    """
    from clemkit.metadata.store import QueryStore

    opened = QueryStore(folder)
    keep = folder is not None
    chosen = dict.fromkeys(Path(p) for p in paths)
    opened.add_descriptions(_new_descriptions(opened, chosen, keep=keep))
    for path in (p for p in chosen if p.suffix in _SYNTAX):
        name, digest = _source(path, keep=keep)
        if not keep or not opened.knows(name, digest):
            opened.add_rdf(path, _SYNTAX[path.suffix], name, digest)
    return opened


def _new_descriptions(
    store: QueryStore, paths: Iterable[Path], *, keep: bool
) -> Iterator[tuple[Any, str, str]]:
    """Yield the descriptions that the store does not know yet, one at a time."""
    for path in (p for p in paths if p.suffix not in _SYNTAX):
        name, digest = _source(path, keep=keep)
        if not keep or not store.knows(name, digest):
            yield read_fitting(path).data, name, digest


def _source(path: Path, *, keep: bool) -> tuple[str, str]:
    if not path.is_file():
        raise NotFoundError(f"{path}: expected a description or an RDF file; found no such file")
    return os.path.abspath(path), _file_digest(path) if keep else ""


def _file_digest(path: Path) -> str:
    import hashlib

    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_fitting(path: str | Path) -> Document:
    """Read a description that fits the model.

    Raises
    ------
    InvalidMetadataError
        It does not; ``problems`` lists where.
    """
    from clemkit.errors import InvalidMetadataError
    from clemkit.metadata.load import read_document
    from clemkit.metadata.validate.schema import check_schema

    document = read_document(path)
    wrong = [*document.problems, *check_schema(document.data)]
    if wrong:
        wrong.sort(key=lambda p: document.line_of(p.location))
        line = document.line_of(wrong[0].location)
        raise InvalidMetadataError(
            f"{path}:{line}: the description does not fit the model in {len(wrong)} places: "
            f"{wrong[0]}; see `clemkit validate {path}`",
            wrong,
        )
    return document


def _experiment(path: str | Path) -> Any:
    from clemkit.metadata.models import build

    return build(read_fitting(path).data)
