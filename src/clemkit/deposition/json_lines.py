"""JSON with the line of every value, so that findings point into the user's file."""

from __future__ import annotations

import json
import re
from json import JSONDecodeError, JSONDecoder
from pathlib import Path
from typing import Any

from clemkit.errors import FormatError

__all__ = ["read_json_lines"]

Location = tuple[str | int, ...]
_DECODER = JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_SCALAR = re.compile(r"[^\s,\]}]+")


def read_json_lines(text: str, path: Path) -> tuple[Any, dict[Location, int]]:
    """Return the content of JSON *text* and the line, from 1, of each value.

    Parameters
    ----------
    text : str
        Content of the file.
    path : Path
        The file, for messages.

    Raises
    ------
    FormatError
        The text is not JSON.
    """
    try:
        content = json.loads(text)
    except JSONDecodeError as error:
        raise FormatError(
            path, f"expected JSON; found {error.msg} in line {error.lineno}"
        ) from error
    lines: dict[Location, int] = {}
    starts = [m.end() for m in re.finditer("\n", text)]
    _Walk(text, starts, lines).value(_after_space(text, 0), ())
    return content, lines


def _string(text: str, at: int) -> tuple[str, int]:
    """Return the string that begins with the quote at *at*, and where it ends."""
    value, end = _DECODER.raw_decode(text, at)
    return str(value), end


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


class _Walk:
    """Walks through text that is known to be JSON."""

    def __init__(self, text: str, starts: list[int], lines: dict[Location, int]) -> None:
        self.text = text
        self.starts = starts
        self.lines = lines
        self._line = 1

    def value(self, at: int, location: Location) -> int:
        """Note the line of the value at *at*, and return where it ends."""
        while self._line <= len(self.starts) and self.starts[self._line - 1] <= at:
            self._line += 1
        self.lines[location] = self._line
        character = self.text[at]
        if character == "{":
            return self._members(at, location)
        if character == "[":
            return self._items(at, location)
        if character == '"':
            return _string(self.text, at)[1]
        found = _SCALAR.match(self.text, at)
        return found.end() if found else at

    def _members(self, at: int, location: Location) -> int:
        at = _after_space(self.text, at + 1)
        while self.text[at] != "}":
            key, at = _string(self.text, at)
            at = _after_space(self.text, _after_space(self.text, at) + 1)
            at = _after_space(self.text, self.value(at, (*location, key)))
            if self.text[at] == ",":
                at = _after_space(self.text, at + 1)
        return at + 1

    def _items(self, at: int, location: Location) -> int:
        at, index = _after_space(self.text, at + 1), 0
        while self.text[at] != "]":
            at = _after_space(self.text, self.value(at, (*location, index)))
            index += 1
            if self.text[at] == ",":
                at = _after_space(self.text, at + 1)
        return at + 1
