"""Protocols in prose, lists and tables, read by rules: each value keeps its source words."""

from __future__ import annotations

from clemkit.metadata.protocols.reading import ProtocolReading
from clemkit.metadata.protocols.text.external import Extractor, read_with
from clemkit.metadata.protocols.text.markdown import read_markdown
from clemkit.metadata.protocols.text.reader import read_prose
from clemkit.metadata.protocols.text.sheets import read_table
from clemkit.metadata.protocols.text.word import read_docx

__all__ = ["Extractor", "read_docx", "read_markdown", "read_table", "read_text"]


def read_text(
    text: str, *, name: str, source_file: str | None = None, extractor: Extractor | None = None
) -> ProtocolReading:
    """Read a protocol from plain text.

    Parameters
    ----------
    text : str
        The text. It is kept whole in ``source_text``; every character that is not white space lies
        in the span of a step, of an `UnparsedStep` where it was not understood.
    name : str
        Name of the protocol; ids are made of it.
    source_file : str, optional
        File that the text is from.
    extractor : callable or sequence of str, optional
        Somebody else's reader, in place of the rules; see `external.read_with`.

    Returns
    -------
    ProtocolReading
        A description in long form, and what was ambiguous, unknown or not understood.
    """
    if extractor is not None:
        return read_with(extractor, text, name=name, source_file=source_file)
    return read_prose(text, name=name, source_file=source_file)
