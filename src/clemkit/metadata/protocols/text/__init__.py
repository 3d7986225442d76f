"""Protocols in prose, lists and tables: read by rules, every value with the words it was read from."""

from __future__ import annotations

from clemkit.metadata.protocols.reading import ProtocolReading
from clemkit.metadata.protocols.text.reader import read_prose

__all__ = ["read_text"]


def read_text(text: str, *, name: str, source_file: str | None = None) -> ProtocolReading:
    """Read a protocol from plain text or Markdown.

    Parameters
    ----------
    text : str
        The text. It is kept whole in ``source_text``; every character lies in the span of a step.
    name : str
        Name of the protocol; ids are made of it.
    source_file : str, optional
        File that the text is from.

    Returns
    -------
    ProtocolReading
        A description in long form, and what was ambiguous, unknown or not understood.
    """
    return read_prose(text, name=name, source_file=source_file)
