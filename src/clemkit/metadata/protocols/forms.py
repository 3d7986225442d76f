"""Find known names in a text: longest match over tokens, offsets as in the text.

Hyphens, spaces and apostrophes between the parts of a name may differ, digits may be sub- or
superscripts, and a plural is taken for its singular. Abbreviations keep their case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Form", "FormTable", "Hit", "Token", "plain_characters", "tokens"]

# one character for one character, so that offsets stay
_PLAIN = str.maketrans(
    "₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻"
    "\u00a0\u2002\u2003\u2009\u202f\u2010\u2011\u2012\u2013\u2014\u2212\u2018\u2019\u2032\u00b4\u00b5\u2219\u2022",
    "01234567890123456789+-     ------''''μ··",
)
_EMPTY_LINE = re.compile(r"\n[ \t]*\n")
_TOKEN = re.compile(r"[^\W\d_]+(?:'(?!')[^\W\d_]+)*|[0-9]+|[^\w\s'-]|_")


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a number or a sign of a text with its offsets."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One spelling of a name.

    Attributes
    ----------
    text : str
        The spelling.
    owner : str
        What it names.
    case : bool
        Whether upper and lower case must agree.
    scanned : bool
        Whether a text is searched for it; otherwise it is known by :meth:`FormTable.named` only.
    not_before, not_after : sequence of str
        Words, lower case, next to which the spelling means something else.
    """

    text: str
    owner: str
    case: bool = False
    scanned: bool = True
    not_before: Sequence[str] = ()
    not_after: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A spelling that was found, at ``text[start:end]``."""

    start: int
    end: int
    form: Form


def plain_characters(text: str) -> str:
    """Return *text*, as long as before, with plain digits, hyphens, spaces and apostrophes."""
    return text.translate(_PLAIN)


def tokens(text: str) -> list[Token]:
    """Return the words, numbers and signs of *text* without spaces, hyphens, apostrophes."""
    found = _TOKEN.finditer(plain_characters(text))
    return [Token(m[0].replace("'", ""), m.start(), m.end()) for m in found]


class FormTable:
    """All spellings of one subject, ready for search."""

    def __init__(self, forms: Iterable[Form]) -> None:
        self._by_key: dict[tuple[str, ...], list[Form]] = {}
        self._longest: dict[str, int] = {}
        for form in forms:
            key = _key(tokens(form.text))
            if not key:
                raise ValueError(f"a spelling without words: {form.text!r}")
            known = self._by_key.setdefault(key, [])
            # the exact case goes first
            known.insert(0 if form.case else len(known), form)
            self._longest[key[0]] = max(self._longest.get(key[0], 0), len(key))

    def named(self, name: str) -> list[Form]:
        """Return the spellings that the whole of *name* is; the exact case wins, then any case."""
        found = self._at(tokens(name), scanning=False)
        return found or self._by_key.get(_key(tokens(name)), [])

    def search(self, text: str) -> Iterator[Hit]:
        """Yield what is found in *text*, in order, without overlap, the longest at each place.

        A name does not go on behind an empty line.
        """
        parts = tokens(text)
        breaks = [m.start() for m in _EMPTY_LINE.finditer(text)]
        position = 0
        while position < len(parts):
            hit, used = self._longest_at(parts, position, breaks)
            if hit:
                yield hit
            position += used

    def _longest_at(
        self, parts: Sequence[Token], position: int, breaks: Sequence[int]
    ) -> tuple[Hit | None, int]:
        most = self._longest.get(parts[position].text.lower(), 0) or self._longest.get(
            _singular(parts[position].text.lower()), 0
        )
        for length in range(min(most, len(parts) - position), 0, -1):
            window = parts[position : position + length]
            if not _stands_alone(parts, position, length):
                continue
            if any(window[0].start < b < window[-1].end for b in breaks):
                continue
            for form in self._at(window, scanning=True):
                if _allowed(form, parts, position, length):
                    return Hit(window[0].start, window[-1].end, form), length
        return None, 1

    def _at(self, window: Sequence[Token], *, scanning: bool) -> list[Form]:
        """Return the spellings of *window*: those as it stands, else those of its singular."""
        key = _key(window)
        written = "".join(t.text for t in window)
        for candidate in (key, (*key[:-1], _singular(key[-1]))) if key else ():
            found = [
                f
                for f in self._by_key.get(candidate, ())
                if (f.scanned or not scanning)
                and (not f.case or _written(f) in (written, written.removesuffix("s")))
            ]
            if found:
                return found
        return []


def _key(parts: Sequence[Token]) -> tuple[str, ...]:
    return tuple(t.text.lower() for t in parts)


def _written(form: Form) -> str:
    return "".join(t.text for t in tokens(form.text))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _stands_alone(parts: Sequence[Token], position: int, length: int) -> bool:
    """Whether no letter or digit touches the window from outside."""
    first, last = parts[position], parts[position + length - 1]
    before = parts[position - 1] if position else None
    after = parts[position + length] if position + length < len(parts) else None
    left = before is not None and before.end == first.start and before.text[-1:].isalnum()
    right = after is not None and after.start == last.end and after.text[:1].isalnum()
    return not (left and first.text[:1].isalnum()) and not (right and last.text[-1:].isalnum())


def _allowed(form: Form, parts: Sequence[Token], position: int, length: int) -> bool:
    after = parts[position + length].text.lower() if position + length < len(parts) else ""
    before = parts[position - 1].text.lower() if position else ""
    return not (
        (after and (after in form.not_before or _singular(after) in form.not_before))
        or (before and before in form.not_after)
    )
