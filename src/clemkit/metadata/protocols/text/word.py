"""Protocols in Word: paragraphs, numbered lists and tables in their order, as one text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clemkit.errors import FormatError, MissingExtraError, NotFoundError
from clemkit.metadata.protocols.reading import ProtocolReading
from clemkit.metadata.protocols.text.reader import read_prose

__all__ = ["read_docx"]


def read_docx(path: str | Path, *, name: str | None = None) -> ProtocolReading:
    """Read a protocol from a Word document.

    The text of the document, with numbers of lists and with rows of tables in lines, becomes the
    ``source_text``; spans are offsets into it.

    Parameters
    ----------
    path : str or Path
        A .docx file.
    name : str, optional
        Name of the protocol; otherwise that of the file.

    Raises
    ------
    NotFoundError
        The file does not exist.
    FormatError
        It is not a Word document.
    MissingExtraError
        python-docx is not installed.
    """
    try:
        import docx
        from docx.opc.exceptions import PackageNotFoundError
    except ImportError as error:
        raise MissingExtraError("python-docx", "metadata") from error
    source = Path(path)
    if not source.is_file():
        raise NotFoundError(f"{source}: expected a Word document; found no such file")
    try:
        document = docx.Document(str(source))
    except (PackageNotFoundError, KeyError, ValueError) as error:
        raise FormatError(source, f"expected a Word document (.docx); found {error}") from error
    text = "\n".join(_lines(document)) + "\n"
    return read_prose(text, name=name or source.stem, source_file=source.name)


def _lines(document: Any) -> Iterator[str]:
    counters: dict[tuple[int, int], int] = {}
    for block in document.iter_inner_content():
        if hasattr(block, "rows"):
            yield ""
            yield from _rows(block)
            yield ""
            continue
        words = block.text.strip()
        if not words:
            yield ""
        elif (block.style.name or "").startswith(("Heading", "Title", "Überschrift", "Titel")):
            yield f"# {' '.join(words.split())}"
        else:
            yield from _paragraph(block, words, counters)


def _paragraph(block: Any, words: str, counters: dict[tuple[int, int], int]) -> Iterator[str]:
    mark = _mark(block, counters)
    first, *more = words.split("\n")
    yield f"{mark}{first}"
    yield from (f"  {line}" for line in more)
    if not mark:
        yield ""  # a paragraph of Word is a paragraph


def _mark(block: Any, counters: dict[tuple[int, int], int]) -> str:
    """Return the number or bullet of a list paragraph; Word computes it when it draws."""
    style = block.style.name or ""
    properties = block._p.pPr
    numbering = properties.numPr if properties is not None else None
    if numbering is None and not style.startswith("List"):
        return ""
    level = numbering.ilvl.val if numbering is not None and numbering.ilvl is not None else 0
    list_id = numbering.numId.val if numbering is not None and numbering.numId is not None else -1
    if style.startswith("List Bullet") or _is_bullet(block, list_id, level):
        return "  " * level + "- "
    for key in [k for k in counters if k[0] == list_id and k[1] > level]:
        del counters[key]  # an inner list begins anew
    counters[list_id, level] = counters.get((list_id, level), 0) + 1
    number = counters[list_id, level]
    return "  " * level + (f"{chr(96 + number)}. " if level % 2 and number <= 26 else f"{number}. ")


def _is_bullet(block: Any, list_id: int, level: int) -> bool:
    try:
        numbering = block.part.numbering_part.element
    except (KeyError, NotImplementedError, AttributeError):
        return False
    space = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
    for entry in numbering.findall(f"{space}num"):
        if entry.get(f"{space}numId") != str(list_id):
            continue
        kind = entry.find(f"{space}abstractNumId").get(f"{space}val")
        for abstract in numbering.findall(f"{space}abstractNum"):
            if abstract.get(f"{space}abstractNumId") == kind:
                for inner in abstract.findall(f"{space}lvl"):
                    if inner.get(f"{space}ilvl") == str(level):
                        form = inner.find(f"{space}numFmt")
                        return form is not None and form.get(f"{space}val") == "bullet"
    return False


def _rows(table: Any) -> Iterator[str]:
    for row in table.rows:
        cells: list[str] = []
        seen: list[Any] = []
        for cell in row.cells:
            if cell._tc in seen:
                continue  # merged cells come once for each column
            seen.append(cell._tc)
            cells.append(" ".join(cell.text.split()).replace("|", "/"))
        yield f"| {' | '.join(cells)} |"
