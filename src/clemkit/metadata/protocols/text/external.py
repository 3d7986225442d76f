"""A reader of somebody else: a function or a program that returns the same model with spans.

Its answer is checked as our own is: it fits the model, each span holds the words at its place, and
what it leaves out becomes an `UnparsedStep`, so that no character is lost.
"""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from clemkit.errors import DataError, InvalidMetadataError, Problem
from clemkit.metadata.models import build
from clemkit.metadata.protocols.reading import ProtocolReading
from clemkit.metadata.protocols.text.gaps import extents, fill_gaps

__all__ = ["Extractor", "read_with"]

Extractor = Callable[[str], Mapping[str, Any]] | Sequence[str]
_SECONDS = 600.0  # a model on a processor may think for minutes


def read_with(
    extractor: Extractor, text: str, *, name: str, source_file: str | None = None
) -> ProtocolReading:
    """Read a protocol with *extractor* and check what it returns.

    Parameters
    ----------
    extractor : callable or sequence of str
        A function of the text, or a command that gets the text on its standard input and writes
        JSON. Either returns a description in long form with one protocol, whose steps have spans.
    text : str
        The text.
    name, source_file : str
        Set where the description does not have them.

    Raises
    ------
    DataError
        The command failed, or its answer is no JSON object.
    InvalidMetadataError
        The answer does not fit the model, or a span does not hold the words at its place;
        ``problems`` lists where.
    """
    answer = extractor(text) if callable(extractor) else _run(extractor, text)
    if not isinstance(answer, Mapping):
        raise DataError(
            f"extractor: expected a description, a mapping; found {type(answer).__name__}"
        )
    data: dict[str, Any] = copy.deepcopy(dict(answer))
    data.setdefault("name", name)
    protocols = data.get("protocols")
    if not isinstance(protocols, list) or len(protocols) != 1 or not isinstance(protocols[0], dict):
        found = len(protocols) if isinstance(protocols, list) else "none"
        raise DataError(f"extractor: expected one protocol in `protocols`; found {found}")
    protocol = protocols[0]
    protocol.setdefault("name", name)
    if source_file is not None:
        protocol.setdefault("source_file", source_file)
    protocol["source_text"] = text
    if problems := list(_wrong_spans(protocol, text, ("protocols", 0))):
        raise InvalidMetadataError(
            f"extractor: {len(problems)} spans are wrong, first {problems[0]}", problems
        )
    findings = _left_out(protocol, text)
    build(data)
    return ProtocolReading(data=data, findings=tuple(findings))


def _run(command: Sequence[str], text: str) -> Any:
    shown = " ".join(command)
    try:
        done = subprocess.run(
            list(command), input=text.encode(), capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"extractor `{shown}`: expected a program that answers; {error}") from error
    if done.returncode:
        tail = done.stderr.decode(errors="replace").strip()[-300:]
        raise DataError(
            f"extractor `{shown}`: expected exit code 0; found {done.returncode}: {tail}"
        )
    try:
        return json.loads(done.stdout.decode("utf-8"))
    except ValueError as error:
        raise DataError(f"extractor `{shown}`: expected JSON in UTF-8; found {error}") from error


def _wrong_spans(value: Any, text: str, place: tuple[str | int, ...]) -> Iterator[Problem]:
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from _wrong_spans(item, text, (*place, i))
    if not isinstance(value, Mapping):
        return
    for key, item in value.items():
        yield from _wrong_spans(item, text, (*place, key))
        if key == "steps" and isinstance(item, list):
            for i, step in enumerate(item):
                if isinstance(step, Mapping) and not list(extents(step)):
                    message = "expected a span for the whole step; found none"
                    yield Problem((*place, key, i), "protocol-span", "error", message)
    if place and place[-2:-1] == ("spans",):
        start, end = value.get("span_start"), value.get("span_end")
        if not (isinstance(start, int) and isinstance(end, int) and 0 <= start <= end <= len(text)):
            message = f"expected offsets in 0 to {len(text)}; found {start} to {end}"
            yield Problem(place, "protocol-span", "error", message)
        elif value.get("verbatim") != text[start:end]:
            message = (
                f"expected {text[start:end][:60]!r} at {start}; found {value.get('verbatim')!r}"
            )
            yield Problem(place, "protocol-span", "error", message)


def _left_out(protocol: dict[str, Any], text: str) -> list[Problem]:
    found = []
    for index in fill_gaps(protocol, text, "left-out", 0.5):
        words = protocol["steps"][index]["unparsed_text"][:60]
        found.append(
            Problem(
                ("protocols", 0, "steps", index), "protocol-unparsed", "warning",
                f"expected a step; the extractor left out {words!r}", "kept word for word",
            )
        )  # fmt: skip
    return found
