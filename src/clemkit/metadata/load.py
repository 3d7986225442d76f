"""Read a description, keeping the line of every value; write one.

YAML and JSON are read by the same reader. Dates stay text (the model parses them), a key that
occurs twice is a problem, and numbers follow YAML 1.2 (``1e-9`` is a number).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from clemkit.errors import FormatError, NotFoundError, Problem
from clemkit.metadata.shorthand import WrittenFloat, WrittenInt, expanded, shortened

__all__ = ["Document", "read_document", "read_text", "write_document"]

Location = tuple[str | int, ...]
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]*)([.][0-9]*)?|[.][0-9]+)([eE][-+]?[0-9]+)?")
_SURROGATES = re.compile(
    r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
)
_COMMANDS = {
    ".xlsx": "make one with `clemkit metadata from-xlsx`",
    ".csv": "make one with `clemkit metadata from-csv`",
}
_WHAT_TO_DO = {
    "tab": "use spaces at the beginning of a line",
    "another document": "one description for each file: take away the `---`",
    "mapping values are not allowed": "put quotes round a text with `: `, and check the spaces",
    "could not find expected ':'": "write `field: value` with an ordinary space",
}
_MERGE = "tag:yaml.org,2002:merge"
# zero-width and direction marks, C0 controls except tab and line ends
_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)


@dataclass(frozen=True, slots=True)
class Document:
    """A description as it stands in its file.

    Attributes
    ----------
    data : mapping
        Content with short forms written out; dates are text.
    lines : mapping of tuple to int
        Line, from 1, of each key and item.
    problems : tuple of Problem
        What is wrong with the file itself (layer L0).
    path : Path or None
        The file.
    """

    data: Any
    lines: Mapping[Location, int]
    problems: tuple[Problem, ...] = ()
    path: Path | None = None
    raw: Any = field(default=None, compare=False)

    def line_of(self, location: Location) -> int:
        """Return the line of *location*, or of the closest thing around it; 1 at the top."""
        while location:
            if location in self.lines:
                return self.lines[location]
            location = location[:-1]
        return self.lines.get((), 1)


def read_document(path: str | Path) -> Document:
    """Read a YAML or JSON description.

    Raises
    ------
    NotFoundError
        The file does not exist.
    FormatError
        The bytes are not UTF-8 or the text is not YAML.
    """
    source = Path(path)
    if not source.is_file():
        found = "a folder" if source.is_dir() else "no such file"
        raise NotFoundError(f"{source}: expected a description (YAML or JSON); found {found}")
    if source.suffix.lower() in _COMMANDS:
        message = f"expected YAML or JSON; found {source.suffix}"
        raise FormatError(source, f"{message}; {_COMMANDS[source.suffix.lower()]}")
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        found = f"byte {error.object[error.start]:#x} in line {line}"
        raise FormatError(
            source, f"expected UTF-8; found {found}; save it again as UTF-8"
        ) from error
    return read_text(text, source)


def read_text(text: str, path: Path | None = None) -> Document:
    """Read a description from text; *path* is for messages.

    Raises
    ------
    FormatError
        The text is not YAML, or not a mapping.
    """
    shown = path or Path("<text>")
    try:
        node = yaml.compose(_without_surrogates(text), Loader=_Loader)
    except yaml.YAMLError as error:
        raise FormatError(shown, f"expected YAML or JSON; {_one_line(error)}") from error
    if not isinstance(node, yaml.MappingNode):
        raise FormatError(shown, "expected a mapping at the top, such as `id: …`; found none")
    builder = _Builder()
    raw = builder.build(node, ())
    data = expanded(raw)
    return Document(data, builder.lines, tuple(builder.problems), path, raw)


def write_document(data: Mapping[str, Any], path: str | Path, *, overwrite: bool = False) -> None:
    """Write a description as YAML with short forms, atomically.

    Raises
    ------
    FileExistsError
        The file exists and *overwrite* is false.
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target}: exists; pass overwrite to replace it")
    text = yaml.safe_dump(
        shortened(data), sort_keys=False, allow_unicode=True, width=100, default_flow_style=False
    )
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _without_surrogates(text: str) -> str:
    """Return *text*; in JSON, the two halves of a character beyond 16 bits become one escape."""
    if not text.lstrip().startswith("{") or "\\u" not in text:
        return text

    def joined(found: re.Match[str]) -> str:
        high, low = int(found[2], 16), int(found[3], 16)
        return f"{found[1]}\\U{0x10000 + ((high - 0xD800) << 10) + low - 0xDC00:08X}"

    return _SURROGATES.sub(joined, text)


def _one_line(error: yaml.YAMLError) -> str:
    """Return what is wrong and in which line, and what to do where that can be told."""
    mark = getattr(error, "problem_mark", None)
    what = " ".join(str(getattr(error, "problem", None) or error).split())
    what = re.sub(r"^(but )?found ", "found ", what)
    if not what.startswith(("found ", "did not find ", "could not find ")):
        what = f"found that {what}"
    where = f" in line {mark.line + 1}" if mark else ""
    hint = next((h for words, h in _WHAT_TO_DO.items() if words in what), "")
    return f"{what}{where}{hint and '; '}{hint}"


class _Builder:
    """Turns nodes into plain data and remembers lines."""

    def __init__(self) -> None:
        self.lines: dict[Location, int] = {}
        self.problems: list[Problem] = []
        self._inside: set[int] = set()

    def build(self, node: Any, location: Location) -> Any:
        self.lines.setdefault(location, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, location)
        if id(node) in self._inside:
            self._report(
                location, "L0-alias-cycle", "an alias that contains itself", "write it out"
            )
            return None
        self._inside.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*location, i)) for i, item in enumerate(node.value)]
            return dict(self._pairs(node, location))
        finally:
            self._inside.discard(id(node))

    def _pairs(self, node: Any, location: Location) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == _MERGE:
                message = "expected plain keys; found a merge key `<<`"
                self._report(location, "L0-merge-key", message, "write the values out")
                continue
            key = str(getattr(key_node, "value", key_node))
            place = (*location, key)
            if found := _HIDDEN.search(key):
                self.lines.setdefault(place, line)
                message = f"expected visible characters; found U+{ord(found[0]):04X} in {key!r}"
                self._report(place, "L0-hidden-character", message, "remove it")
            if key in seen:
                message = f"expected each key once; found {key!r} in lines {seen[key]} and {line}"
                self._report(place, "L0-duplicate-key", message, "keep one of the two", line)
                continue
            seen[key] = line
            self.lines[place] = line
            yield key, self.build(value_node, place)

    def _scalar(self, node: Any, location: Location) -> Any:
        text = str(node.value)
        if found := _HIDDEN.search(text):
            message = f"expected visible characters; found U+{ord(found[0]):04X} in {text[:40]!r}"
            self._report(location, "L0-hidden-character", message, "remove it")
        kind = node.tag.rsplit(":", 1)[-1]
        if node.style in ('"', "'", "|", ">"):
            return text
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() in ("yes", "true", "on")
        if _INTEGER.fullmatch(text):
            return WrittenInt.read(text)
        return WrittenFloat.read(text) if _NUMBER.fullmatch(text) else text

    def _report(
        self, location: Location, rule: str, message: str, hint: str, line: int | None = None
    ) -> None:
        if line is not None:
            self.lines.setdefault(location, line)
        self.problems.append(Problem(location, rule, "error", message, hint))
