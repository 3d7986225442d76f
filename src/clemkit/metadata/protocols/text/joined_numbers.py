"""Numbers to quantities: what stands between two says whether they are a range, a list, a ratio."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from clemkit.metadata.model_map import model_map
from clemkit.metadata.protocols.text.contexts import kind_here
from clemkit.metadata.protocols.text.found_quantity import FoundQuantity
from clemkit.metadata.protocols.text.number_tokens import Token

__all__ = ["join_numbers"]

_RANGE = re.compile(r"\s*(?:[-–—‐‑−~]|\.\.+|…)\s*|-?\s+(?:to|bis|up\sto|until)\s+", re.I)
_FROM_TO = re.compile(r"\s+(?:down\s)?to\s+", re.I)
_AND = re.compile(r"\s+(?:and|und|or|oder)\s+", re.I)
_TOLERANCE = re.compile(r"\s*(?:±|\+\s?/\s?[-−–]|\(\s?±)\s*")
_LIST = re.compile(
    r"\s*[,;]\s*(?:and\s+(?:then\s+|finally\s+)?|then\s+|und\s+|or\s+|followed\sby\s+)?"
    r"|\s*(?:/|→|⇒|>|-+>|&)\s*|\s+(?:and|und|or|oder|then)\s+(?:then\s+|finally\s+)?",
    re.I,
)
_LADDER = re.compile(r"\s*[-–—‐‑−/]\s*")
_RATIO = re.compile(r"\s?[:+∶]\s?")
_TIMES = re.compile(r"\s?[x×X*✕]\s?")
_TIMES_BEHIND = re.compile(
    r"\s?(?:[x×✕](?=[\s,;.)]|$|\s?\d)|[-\s]?(?:times|fold\swash\w*|(?:\w+\s)?(?:changes|washes|rinses|exchanges|"
    r"incubations|repeats|replicates|cycles|repetitions|passes|periods|drops|droplets|buffer\schanges)|mal|Mal)\b"
    r"|\s\d+(?:[-–]\d+)?\s?['′’]\s(?:changes|washes|rinses|exchanges|incubations)"
    r"|\s\d+(?:[-–]\d+)?[-\s]?(?:min|minutes?|s|sec|h|hours?|hr)[-\s]+(?:\w+\s){0,2}(?:changes|washes|rinses|exchanges|incubations|cycles|periods|steps))"
)
_NOT_REPEATS = re.compile(
    r"\s*(?:[x×X]\s?)?(?:g\b|stock|objective|magnif|lens|oil|NA\b|concentrated|fix\b|fixative|strength|binned|zoom|air\b|water\simm)"
)
# five times or more of these is a stock; 3x TBS is a rinse
_STOCKS = re.compile(
    r"\s*(?:[x×X]\s?)?(?:PBS|TBS|SSC|PHEM|HBSS|HEPES|MEM|DMEM|buffer|BSA|PB\b|TAE|TE\b)"
)
_TIMES_AHEAD = re.compile(r"\s?\(?\s?[x×✕]\s?\Z")
_AT_LEAST = re.compile(
    r"(?:at\sleast|no\sless\sthan|not\sless\sthan|minimum\s(?:of\s)?|min\.\s|mindestens|more\sthan|longer\sthan|"
    r"≥|>|above|a\sminimum\sof)\s*(?:for\s)?\Z",
    re.I,
)
_AT_MOST = re.compile(
    r"(?:at\smost|no\smore\sthan|not\smore\sthan|up\sto|less\sthan|maximum\s(?:of\s)?|max\.?\s|höchstens|"
    r"no\slonger\sthan|within|below|under|<|≤)\s*(?:for\s)?\Z",
    re.I,
)
_BETWEEN = re.compile(r"(?:between|zwischen)\s*\Z", re.I)
_SMALLER = {("h", "min"), ("min", "s"), ("d", "h"), ("h", "s"), ("wk", "d")}
_SECONDS = {"h": 3600.0, "min": 60.0, "s": 1.0, "d": 86400.0, "wk": 604800.0}
_INHERITED_BEFORE = re.compile(
    r"(?:\b(?:for|at|of|to|in|after|with|by|through|on|from|was|were|then|and|series|wavelengths?)|[(:,;–-]|\A)\s*\Z",
    re.I,
)


def join_numbers(text: str, tokens: Sequence[Token]) -> list[FoundQuantity]:
    """Return the quantities that *tokens*, the numbers of *text*, make."""
    return _Reader(text, tokens).read()


@dataclass(frozen=True, slots=True)
class _Item:
    """A number or a range of a list."""

    first: Token
    last: Token
    tolerance: float | None = None
    rule: str = "number-unit"

    @property
    def unit(self) -> tuple[str, str] | None:
        return self.last.unit or self.first.unit


class _Reader:
    """Joins numbers to quantities, from left to right."""

    def __init__(self, text: str, tokens: Sequence[Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._found: list[FoundQuantity] = []

    def read(self) -> list[FoundQuantity]:
        index = 0
        while index < len(self._tokens):
            index = (
                self._size(index) or self._ratio(index) or self._count(index) or self._series(index)
            )
        return self._found

    def _link(self, index: int) -> str:
        """Text between number *index*, with its unit, and the next; NUL if there is none."""
        if index + 1 >= len(self._tokens):
            return "\0"
        return self._text[self._tokens[index].end : self._tokens[index + 1].start]

    def _add(self, start: int, end: int, kind: str, unit: str, **given: object) -> None:
        self._found.append(
            FoundQuantity(
                start=start,
                end=end,
                verbatim=self._text[start:end],
                kind=kind,
                unit=unit,
                **given,  # type: ignore[arg-type]
            )
        )

    def _size(self, index: int) -> int | None:
        """Pass over 1 × 1 × 0.5 mm: a size of pieces, no property of a treatment."""
        last = index
        while last + 1 < len(self._tokens) and _TIMES.fullmatch(self._link(last)):
            last += 1
        unit = self._tokens[last].unit
        return last + 1 if last > index and unit and unit[1] == "length" else None

    def _ratio(self, index: int) -> int | None:
        tokens, last = self._tokens, index
        while (
            last + 1 < len(tokens)
            and not tokens[last].unit
            and _RATIO.fullmatch(self._link(last))
            and tokens[last + 1].value >= 0
        ):
            last += 1
        if last == index and last + 1 < len(tokens) and self._link(index) == "/":
            behind = self._text[tokens[index + 1].end : tokens[index + 1].end + 12]
            simple = tokens[index].value <= 10 and tokens[index + 1].value <= 10
            if simple and not tokens[index + 1].unit and re.match(r"\s?(?:mix|\(?v|ratio)", behind):
                last += 1
        if (
            last == index
            and last + 1 < len(tokens)
            and self._link(index) == "/"
            and tokens[index].value == 1
        ):
            behind = self._text[tokens[index + 1].end : tokens[index + 1].end + 12]
            if not tokens[index + 1].unit and re.match(r"\s?(?:in\b|,|dilut|for\b|\))", behind):
                last += 1
        if last == index or any(t.unit for t in tokens[index:last]):
            return None
        first, end = tokens[index], tokens[last]
        whole = self._text[first.start : end.end_number]
        behind = self._text[end.end_number : end.end_number + 14]
        if re.fullmatch(r"[012]?\d:[0-5]\d", whole) and re.match(
            r"\s?(?:h\b|[ap]\.?m|Uhr|o'clock)", behind
        ):
            return last + 1
        if re.match(r"\s?(?:h|hour)?\s?\(?(?:light|dark|L/?:?D)", behind) or (
            end.unit and end.unit[1] == "duration"
        ):
            return last + 1
        if end.unit is not None and end.unit[1] != "length" and "/" not in end.unit[0]:
            return None
        until = end.end_number
        if further := re.match(r"\s?(?:[-–]|to)\s?\d+\s?:\s?\d+", self._text[until : until + 14]):
            until += further.end()  # 1:50–1:200
            while last + 1 < len(tokens) and tokens[last + 1].start < until:
                last += 1
        several = until != end.end_number or last != index + 1
        kind = "dilution" if first.value == 1 and end.value >= 15 else "ratio"
        value = first.value / end.value if end.value and not several else None
        self._add(
            first.start,
            until,
            kind,
            "dimensionless",
            value=value,
            rule=kind,
            confidence=0.9,
        )
        return last + 1

    def _count(self, index: int) -> int | None:
        token = self._tokens[index]
        if token.unit:
            return None
        whole, before = token.value, self._text[max(0, token.start - 4) : token.start]
        if whole != int(whole) or not 1 < whole <= 30:
            return None
        link = self._link(index)
        following = self._tokens[index + 1] if index + 1 < len(self._tokens) else None
        behind = self._text[token.end : token.end + 40]
        if following and _TIMES.fullmatch(link):
            if (following.unit and following.unit[1] in ("length",)) or _TIMES_AHEAD.search(before):
                return index + 2 if following.unit else index + 1
            if (
                following.unit is None
                and not (index + 2 < len(self._tokens) and _RANGE.fullmatch(self._link(index + 1)))
                and self._text[following.end : following.end + 1]
                not in ("", " ", ",", ";", ".", ")", "\n")
            ):
                return None
            end = token.end + len(link.rstrip())
            self._add(
                token.start, end, "count", "count", value=whole, rule="times", confidence=0.95
            )
            return index + 1
        if found := _TIMES_BEHIND.match(behind):
            # 10x PBS is a stock, not ten repeats
            if re.match(r"\s\d", found[0]):
                self._add(
                    token.start,
                    token.end,
                    "count",
                    "count",
                    value=whole,
                    rule="times",
                    confidence=0.9,
                )
                return index + 1
            letter = found[0].strip().lower() in ("x", "×", "✕")
            stock = whole >= 5 and whole != 6 and _STOCKS.match(behind)
            if letter and (whole > 12 or stock or _NOT_REPEATS.match(behind)):
                return None
            end = token.end + len(found[0].rstrip())
            self._add(token.start, end, "count", "count", value=whole, rule="times", confidence=0.9)
            return index + 1
        if _TIMES_AHEAD.search(before) and not re.match(r"\s?(?:mm|µm|nm|cm|g\b)", behind):
            start = token.start - len(_TIMES_AHEAD.search(before)[0].lstrip().removeprefix("("))  # type: ignore[index]
            # the digits before the sign would be a product, such as a size of pixels
            if not re.search(
                r"\d\s?\(?[x×✕]\s?\Z", self._text[max(0, token.start - 6) : token.start]
            ):
                self._add(
                    start, token.end, "count", "count", value=whole, rule="times", confidence=0.9
                )
                return index + 1
        return None

    def _item(self, index: int) -> tuple[_Item, int]:
        """Return a number, a number with a tolerance, a range or a compound time."""
        tokens, token = self._tokens, self._tokens[index]
        if index + 1 >= len(tokens):
            return _Item(token, token), index + 1
        following, link = tokens[index + 1], self._link(index)
        if _TOLERANCE.fullmatch(link):
            slack = abs(following.value)
            unit = following.unit or token.unit
            if unit == token.unit or token.unit is None:
                end = Token(token.start, following.end_number, following.end, token.value, unit)
                return _Item(token, end, slack, "tolerance"), index + 2
        if (
            token.unit and following.unit and (token.unit[0], following.unit[0]) in _SMALLER
            and re.fullmatch(r"\s?(?:and\s)?\s?", link) and following.value < 60
        ):  # fmt: skip
            factor = _SECONDS[token.unit[0]] / _SECONDS[following.unit[0]]
            value = token.value * factor + following.value
            both = Token(token.start, following.end_number, following.end, value, following.unit)
            return _Item(both, both, None, "compound-time"), index + 2
        if self._is_programme(token, following, link):
            assert following.unit is not None  # the programme has asked
            first = Token(token.start, token.end_number, token.end, token.value, following.unit)
            return _Item(first, first), index + 1
        if _falls(token, following) and _FROM_TO.fullmatch(link):
            return _Item(token, token), index + 1  # lowered from 1 nA to 50 pA
        same = token.unit is None or following.unit is None or token.unit[1] == following.unit[1]
        between = _AND.fullmatch(link) and _BETWEEN.search(self._text[: token.start][-12:])
        if same and (_RANGE.fullmatch(link) or between) and not self._is_ladder(index):
            has_unit = following.unit is not None
            if has_unit and (
                following.value > token.value
                or following.unit != token.unit
                or (following.unit[1] == "temperature" if following.unit else False)
            ):
                return _Item(token, following, None, "range"), index + 2
        return _Item(token, token), index + 1

    def _is_programme(self, token: Token, following: Token, link: str) -> bool:
        """Whether two temperatures are begin and end of a change: −90 to −60 °C over 8 h."""
        unit = following.unit
        if (
            unit is None
            or unit[1] != "temperature"
            or not re.fullmatch(r"\s+(?:to|bis|up\sto)\s+", link)
        ):
            return False
        if token.unit not in (None, unit):
            return False
        before = self._text[max(0, token.start - 30) : token.start]
        behind = self._text[following.end : following.end + 30]
        return bool(
            re.search(
                r"\b(?:from|von|warm\w*|rais\w*|ramp\w*|cool\w*|heat\w*|increas\w*)\b[^.;]*\Z",
                before,
                re.I,
            )
            or re.match(
                r"\s?(?:,\s)?\(?(?:over|within|in|at|with|during|slope|for)\b.{0,12}\d", behind
            )
        )

    def _is_ladder(self, index: int) -> bool:
        """Whether hyphens join three numbers or more."""
        tokens = self._tokens
        links = (index, index + 1) if index + 2 < len(tokens) else ()
        if len(links) == 2 and all(_LADDER.fullmatch(self._link(i)) for i in links):
            return True
        before = index - 1
        return (
            before >= 0
            and bool(_LADDER.fullmatch(self._link(before)))
            and bool(_LADDER.fullmatch(self._link(index)))
        )

    def _series(self, index: int) -> int:
        """Read a list of items; those without a unit have that of the next one with a unit."""
        items: list[_Item] = []
        at = index
        while True:
            item, at = self._item(at)
            items.append(item)
            if at >= len(self._tokens):
                break
            link = self._link(at - 1)
            ladder = _LADDER.fullmatch(link) and (
                self._is_ladder(at - 1) or self._is_ladder(at - 2)
            )
            if not (_LIST.fullmatch(link) or ladder) or self._begins_count(at):
                break
        units: list[tuple[str, str] | None] = [item.unit for item in items]
        own = [u is not None for u in units]
        if True not in own and at + 1 < len(self._tokens) and len(items) > 1:
            # 30, 50, 70, 2× 100%
            later = self._tokens[at + 1].unit
            if (
                later
                and later[0].startswith("percent")
                and _LIST.fullmatch(self._link(at - 1))
                and _TIMES.fullmatch(self._link(at))
            ):
                units = [later] * len(items)
        for i in range(len(units) - 2, -1, -1):
            units[i] = units[i] or units[i + 1]
        inherited = own.index(True) if True in own else 0
        if inherited and not self._may_share(items, units[inherited], inherited):
            units[:inherited] = [None] * inherited
        for item, unit, direct in zip(items, units, own, strict=True):
            if unit is not None:
                self._emit(item, unit, direct)
        return at

    def _begins_count(self, index: int) -> bool:
        token = self._tokens[index]
        behind = self._text[token.end : token.end + 40]
        if token.unit or re.match(r"\s?[x×]\s?g\b", behind):
            return False
        if index + 1 < len(self._tokens) and _RATIO.fullmatch(self._link(index)):
            return True
        return bool(_TIMES.match(behind) or _TIMES_BEHIND.match(behind))

    def _may_share(self, items: Sequence[_Item], unit: tuple[str, str] | None, count: int) -> bool:
        if unit is None:
            return False
        numbers = [i.first.value for i in items[: count + 1]]
        links = {
            self._text[a.last.end : b.first.start].strip() for a, b in pairwise(items[: count + 1])
        }
        if unit[0].startswith("percent") and max(numbers) > 100:
            return False
        if unit[1] == "concentration":
            if len(numbers) >= 3 or (unit[0].startswith("percent") and numbers[0] >= 10):
                return True
            return bool(links & {"and", "or", "und", "oder", "/"})
        before = self._text[max(0, items[0].first.start - 14) : items[0].first.start]
        if not _INHERITED_BEFORE.search(before) or (links == {"/"} and len(numbers) == 2):
            return False
        return len(numbers) >= 3 or bool(links & {"and", "or", "und", "oder"})

    def _emit(self, item: _Item, unit: tuple[str, str], direct: bool) -> None:
        name, kind = unit
        start, end = item.first.start, item.last.end if item.last.unit else item.last.end_number
        before = self._text[max(0, start - 22) : start]
        rule, confidence = item.rule, item.first.confidence
        if not direct:
            rule, confidence = "shared-unit", min(confidence, 0.9)
        name, kind = kind_here(self._text, start, end, unit, item.first.value)
        value: float | None = item.first.value
        low = high = None
        if item.rule == "range":
            low, high = sorted((item.first.value, item.last.value))
            if item.first.unit and item.last.unit and item.first.unit != item.last.unit:
                low, high, name = _in_one_unit(item)
            value = None
        elif kind in ("duration", "temperature", "length", "pressure") and _AT_LEAST.search(before):
            value, low, rule = None, item.first.value, "at-least"
        elif (
            kind in ("duration", "temperature", "length")
            and _AT_MOST.search(before)
            and not (kind == "temperature" and re.search(r"up\sto\s*\Z", before))
        ):
            value, high, rule = None, item.first.value, "at-most"
        self._add(
            start, end, kind, name, value=value, minimum=low, maximum=high,
            tolerance=item.tolerance, rule=rule, confidence=confidence,
        )  # fmt: skip


def _falls(first: Token, last: Token) -> bool:
    """Whether the second of two quantities is the smaller one: no range is written so."""
    if first.unit is None or last.unit is None or first.unit[1] != last.unit[1]:
        return False
    values = model_map()["enums"]["Unit"]["values"]
    factors = [float(values[u[0]]["factor"]) for u in (first.unit, last.unit)]
    return first.unit[1] != "temperature" and first.value * factors[0] > last.value * factors[1]


def _in_one_unit(item: _Item) -> tuple[float, float, str]:
    """Return the ends of a range such as ``30 min to 2 h`` in the smaller unit."""
    values = model_map()["enums"]["Unit"]["values"]
    first, last = item.first, item.last
    assert first.unit is not None
    assert last.unit is not None
    factors = [float(values[u[0]]["factor"]) for u in (first.unit, last.unit)]
    small = min(factors)
    name = first.unit[0] if factors[0] == small else last.unit[0]
    low, high = sorted((first.value * factors[0] / small, last.value * factors[1] / small))
    return low, high, name
