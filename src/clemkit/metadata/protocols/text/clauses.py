"""Sentences to clauses: one clause for each treatment."""
# ruff: noqa: E501  a pattern is read in one piece

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from clemkit.metadata.protocols.text.actions import Cue, find_cues
from clemkit.metadata.protocols.text.materials import NamedMaterial
from clemkit.metadata.protocols.text.quantities import FoundQuantity
from clemkit.metadata.protocols.text.segments import Segment, trimmed

__all__ = ["Clause", "split_segment", "unknown_name"]


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece of a sentence that says at most one treatment.

    Attributes
    ----------
    start, end : int
        Offsets, without white space at the ends.
    action : str
        What is done; empty when no word says it.
    cues : tuple of Cue
        The words that say it.
    inherits : bool
        Whether the action is that of the clause before: ``… and then with glutaraldehyde``.
    context : tuple of (int, int)
        Parts that only say when it is done; what they name is not used.
    segment : Segment
        The sentence.
    """

    start: int
    end: int
    action: str
    cues: tuple[Cue, ...]
    inherits: bool
    context: tuple[tuple[int, int], ...]
    segment: Segment


@dataclass(slots=True)
class _Chunk:
    start: int
    end: int
    cues: list[Cue]
    link: str
    materials: list[NamedMaterial] = field(default_factory=list)
    quantities: list[FoundQuantity] = field(default_factory=list)

    @property
    def action(self) -> str:
        return _strongest(self.cues)


_SEPARATOR = re.compile(
    r"\s*[;]\s*(?:then\s+|and\s+)?"
    r"|\s*,\s*(?:(?:and\s+)?(?:then|finally|subsequently|afterwards|before|danach|anschließend|after\swhich|(?:was\s+|were\s+)?followed\s+(?:\w+\s+)?by|next|dann)\b\s*|and\b\s*|or\b\s*)?"
    r"|\s+(?:and\s+then|and\s+finally|and\s+subsequently|and|then|(?:was\s+|were\s+)?followed\s+(?:\w+\s+)?by|preceded(?!\s+by)|before|prior\s+to|danach|anschließend|after\s+which|und\s+dann|und|dann)\b\s*"
    r"|\s+[–—]\s+|\s*(?:->|→)\s*|\s+\|\s+|[.]\s+",
    re.I,
)
_CONTEXT_HEAD = re.compile(
    r"\A\W*(?:(?:immediately|just|shortly|directly|right)\s(?=after|before|prior|following))?(?:after|following|upon|on\sthe\s(?:day|morning)|once|when|while|prior\sto|before|to\s(?:stop|remove|improve|enhance|reduce|avoid|prevent|preserve|allow|ensure)|for\s|"
    r"nach|during|because|since|as\s|in\sorder|unless|if\s)\b",
    re.I,
)
_WEAK = frozenset(("incubate", "apply", "hold", "remove", "thaw", "warm", "image", "prepare"))
_RELATIVE = re.compile(r"\A\W*(?:which|that|where|whose|who|so\sthat|such\sthat)\b", re.I)
_PASSIVE = re.compile(r"\b(?:was|were)\s(?:then\s|subsequently\s)?\w+(?:ed|en|ut)\b")
_STRONG_GROUPS = frozenset(
    (
        "osmium",
        "uranyl",
        "lead",
        "mordant",
        "resin",
        "aldehyde",
        "section-dye",
        "dab",
        "immuno",
        "dye",
    )
)
# a thin section named with its thickness, and what follows without a comma
_THIN = re.compile(
    r"(?:semi-?|ultra-?)thin\s(?:sections?\s)?[(]?\d[\d.,–-]*\s?(?:nm|[µμ]m)[)]?(?=\s(?!thick|sections?\b|slices?\b|were\b|was\b|are\b|is\b|with\b|at\b|of\b|from\b|using\b|on\b|in\b|for\b|and\b|by\b))",
    re.I,
)
# sections of 80 nm, and what they are on
_ON_GRIDS = re.compile(
    r"(?:\bsections?|thin|\bcut|schnitte)\b[^,;.]{0,30}?\d\s?(?:nm|[µμ]m)[)]?\s((?:on|auf)\s(?:[\w/-]+\s){0,4}(?:grids?|\w*netze|wafers?|coverslips?|tape|slides?)\b(?:\s\([^)]*\))?)(\s(?=(?:were|was)\s))?",
    re.I,
)
# a new subject: … they were
_THEY = re.compile(
    r"(?<=[\w)])(?<!\bas)(?<!\bwhere)(?<!\bwhen)(?<!\buntil)(?<!\bwhile)(?<!\bwhich)(?<!\bonce)(?<!\bthat)(?<!\bbefore)(?<!\bafter)(?<!\band)(?<!\bthen)(?<!\bembedding)(?<!\bday)"
    r"\s(?=they\s(?:were|was)\b)"
)
_THIN_WERE = re.compile(
    r"((?:thin|thick)\s(?:(?:cross-?)?sections\s)?\((?:~|ca\.?\s)?\d+(?:\s?[-–]\s?\d+)?\s?(?:nm|[µμ]m)\))\s(?=were\s(?:then\s)?(?:mounted|collected|picked|placed|transferred|put|retrieved|stained|lifted)\b)",
    re.I,
)
# 1 µm sections were stained: cut, then stained
_THICK_STAINED = re.compile(
    r"(\d\s?[µμ]m\s(?:semi-?thin\s)?sections)\s(?=(?:were|was)\s(?:\w+ly\s)?stained\b)", re.I
)
_IF = re.compile(r"\bif\b[^,:;.]{3,60}:\s", re.I)
_ONLY_GRIDS = re.compile(
    r"\W*(?:on(?:to)?\s|auf\s)?(?:[\w/-]+[\s-]){0,3}(?:grids?|\w*netze|wafers?|coverslips?)\b(?:\s\([^)]*\))?\W*",
    re.I,
)
_GRIDS = re.compile(r"\b(?:grids?|wafers?|coverslips?|slides?|tape|\w*netze)\b", re.I)
_ONLY_LIQUID = re.compile(r"[^\w]*(?:[\w²₂-]+\s?){1,3}[.,;]?\s*")
_AND_WITH = re.compile(r"\W*and\s(?:then\s|finally\s|afterwards\s)?(?:with|in|by)\s", re.I)
_LIQUID = re.compile(
    r"\W*and\s(?:then\s)?(?:(?:with|in|finally|distilled|double|deionized|deionised|ultrapure)\s)*"
    r"[^,;:()]{1,40}[.,;]?\s*",
    re.I,
)
_DRIED = re.compile(r"\b(?:air-?\s?)?(?:dried|dry)\b", re.I)
_SAME_FIXATIVE = re.compile(r"\b(?:same|fresh|aldehyde)\s(?:fixative|fixation\ssolution)\b", re.I)
# Cells grown on discs … were frozen: what was done before, and then what is done
_GROWN = re.compile(
    r"(?:(?<=\A)|(?<=[.;]\s)|(?<=\n))(?:[\w-]+\s){1,3}(?:grown|cultured|seeded|plated|transfected)\b(?:(?!\b(?:were|was|are|is)\b|[;]|[.]\s).){8,160}?\s"
    r"(?=(?:were|was)\s(?:\w+ly\s|then\s)?(?:dipped|incubated|washed|rinsed|fixed|placed|high|plunge|frozen|transferred)\b)"
)
_ARROW = re.compile(r"->|→|=>|⇒")
# 1% sodium sulphate (10 min): a material that the lexicon may not know
_UNKNOWN_SHARE = re.compile(
    r"\W*\d+(?:[.,]\d+)?\s?(?:%(?:\s?\(?[wv]/[wv]\)?)?|mM|M|[µμu]M|mg/ml)\s+(?:aqueous\s|aq\.?\s)?"
    r"([A-Za-z][\w'-]{2,25}(?:\s[a-z][\w-]{2,20}){0,2}?)(?=\s*(?:[(,;.]|for\b|in\b|\d|\Z))"
)
_UNKNOWN = re.compile(
    r"\W*([A-Za-z][\w'-]{1,20}(?:\s[A-Za-z][\w-]{0,15})?)[\s:,]+\d{1,2}\s?[x×]\s?\d+(?:[-–]\d+)?\s?(?:min|['`′’]|sec|s\b|h\b)"
)
_FUNCTION_WORDS = frozenset(
    [
        "vakuum",
        "vacuum",
        "rotator",
        "shaker",
        "microwave",
        "pause",
        "spin",
        "pure",
        "then",
        "fresh",
        "and",
        "last",
        "again",
        "rinse",
        "wash",
        "washes",
        "rinses",
        "dann",
        "je",
        "each",
        "for",
        "repeat",
        "neat",
        "change",
        "changes",
    ]
)
_NO = re.compile(
    r"\b(?:without|no|omit\w*|instead\sof|not|skip)\s(?:(?:any|the|further|prior|additional|intermediate|intervening|extra)\s)?\Z",
    re.I,
)
_PURPOSE = re.compile(
    r"(?:day|time|purpose|start|end|point)\sof\s\Z|(?:\A|[.;,]\s)\W*for\s(?:[\w-]+\s){0,3}\Z", re.I
)
# After three washes in buffer the samples were …
_AFTER = re.compile(
    r"(?:(?<=\A)|(?<=[.;]\s)|(?<=,\s))(?=(?:After|Following|after|following)\b)((?:(?![,;]|[.]\s).){8,120}?)\s(?=(?:(?:the|all|these)\s)?"
    r"(?:cells|tissues?|samples?|specimens?|brains?|sections?|slices?|blocks?|grids?|embryos?|larvae|worms|leaves|pieces|coverslips?|pellets?|discs?|they)\s(?:were|was)\b)"
)
_NOT_STEP = re.compile(
    r"\b(?:was|were|is|are)\snot\b|\bwithout\b(?=\s(?:post|further|additional|any\s)?(?:\w+\s)?(?:fix|stain|coat|osmi))|"
    r"\bno\s(?:further|additional|post-?)?\s?(?:stain|fix|osm|coat|contrast)\w*",
    re.I,
)
_THEN_MATERIAL = re.compile(r"followed|then|finally|subsequently|after|before|dann|→|->", re.I)


def split_segment(
    text: str,
    segment: Segment,
    materials: Sequence[NamedMaterial],
    quantities: Sequence[FoundQuantity],
) -> list[Clause]:
    """Return the clauses of *segment*; together they hold all of its characters."""
    if segment.kind in ("heading", "layout"):
        return [Clause(segment.start, segment.end, "", (), False, (), segment)]
    chunks = list(_chunks(text, segment, materials, quantities))
    groups: list[list[_Chunk]] = []
    inherits: list[bool] = []
    last_action = ""
    for chunk in chunks:
        starts, inherited = _begins(text, chunk, groups[-1] if groups else [], last_action)
        if groups and not starts:
            groups[-1].append(chunk)
        elif len(groups) == 1 and not (
            any(c.cues for c in groups[0]) or _stands_alone(text, groups[0])
        ):
            groups[-1].append(chunk)  # what stands before the first treatment belongs to it
            inherits[-1] = inherited
        else:
            groups.append([chunk])
            inherits.append(inherited)
        if chunk.cues and starts:
            last_action = chunk.action or last_action
    return [
        _clause(
            text,
            segment,
            group,
            heir,
            groups[i + 1][0].start if i + 1 < len(groups) else segment.end,
            i == 0,
        )
        for i, (group, heir) in enumerate(zip(groups, inherits, strict=True))
    ]


def _clause(
    text: str, segment: Segment, group: list[_Chunk], heir: bool, stop: int, first: bool
) -> Clause:
    start = segment.start if first else group[0].start
    start, end = trimmed(text, start, stop)
    cues = [c for chunk in group for c in chunk.cues]
    main = next((c for c in group if c.cues), None)
    context: list[tuple[int, int]] = []
    if main is not None:
        action = _strongest(main.cues)
        for chunk in group:
            if chunk is main:
                break
            timed = chunk.materials and any(q.kind == "duration" for q in chunk.quantities)
            if _CONTEXT_HEAD.match(text[chunk.start : chunk.end]) and not timed:
                context.append((chunk.start, chunk.end))
        context += [
            (c.start, c.end) for c in group
            if any(cue.action == "remove" for cue in c.cues) and (len(group) > 1 or "prepare" in action)
            and {cue.action for cue in c.cues} <= {"remove"}
        ]  # fmt: skip
        strong = [c for c in cues if c.action not in _WEAK]
        if action in _WEAK and strong and strong[0].is_verb:
            action = strong[0].action
        head = text[main.start : main.end]
        if _CONTEXT_HEAD.match(head) and len(group) > 1:
            later = [c for chunk in group[group.index(main) + 1 :] for c in chunk.cues]
            if later and not main.quantities:
                context.append((main.start, main.end))
                action = _strongest(later)
    else:
        action = ""
    return Clause(start, end, action, tuple(cues), heir, tuple(context), segment)


def _strongest(cues: Sequence[Cue]) -> str:
    """Return the action of the most telling cue: a verb before a noun, a certain one before a weak one."""
    if not cues:
        return ""
    doing = [c.action for c in cues if c.is_verb]
    if doing and set(doing) == {"image"}:
        return "image"
    ordered = sorted(cues, key=lambda c: (c.action in _WEAK, not c.is_verb, c.start))
    best = ordered[0]
    return best.action


def _chunks(
    text: str,
    segment: Segment,
    materials: Sequence[NamedMaterial],
    quantities: Sequence[FoundQuantity],
) -> Iterator[_Chunk]:
    held = [(m.start, m.end) for m in materials] + [(q.start, q.end) for q in quantities]
    cues = find_cues(text, segment.body, segment.end)
    counted = [(q.start, q.end) for q in quantities if q.kind == "count"]
    cues = [
        c for c in cues
        if c.action == "fiducial"
        or not any(s < c.end and c.start < e for s, e in held if e - s > 2 and (s, e) not in counted)
    ]  # fmt: skip
    cues = [c for c in cues if not _NO.search(text[segment.body : c.start])]
    if len(cues) > 1:
        cues = [c for c in cues if c.is_verb or not _PURPOSE.search(text[segment.body : c.start])]
    depth = [
        (a, b) for a, b in _parentheses(text, segment.body, segment.end)
        if a > segment.body or b < segment.end - 2
    ]  # fmt: skip
    cuts = [(segment.body, "")]
    for match in _SEPARATOR.finditer(text, segment.body, segment.end):
        start, end = match.span()
        if any(s < end and start < e for s, e in held) or any(a < start < b for a, b in depth):
            continue
        if end < segment.end and start > segment.body:
            cuts.append((start, match[0]))
    for match in _ON_GRIDS.finditer(text, segment.body, segment.end):
        cuts.append((match.start(1), "\0"))
        if match[2]:
            cuts.append((match.end(1), "\0"))
    cuts += [(m.start(), "\0") for m in _THEY.finditer(text, segment.body, segment.end)]
    cuts += [(m.end(1), "\0") for m in _THIN_WERE.finditer(text, segment.body, segment.end)]
    cuts += [(m.end() - 1, "\0") for m in _GROWN.finditer(text, segment.body, segment.end)]
    cuts += [(m.end(), "\0") for m in _IF.finditer(text, segment.body, segment.end)]
    cuts += [(m.end(1), "\0") for m in _THICK_STAINED.finditer(text, segment.body, segment.end)]
    cuts += [(m.end(1), "\0") for m in _AFTER.finditer(text, segment.body, segment.end)]
    cuts += [(m.end(), "\0") for m in _THIN.finditer(text, segment.body, segment.end)]
    cuts.sort()
    for i, (start, link) in enumerate(cuts):
        stop = cuts[i + 1][0] if i + 1 < len(cuts) else segment.end
        # a separator goes before the clause it opens, a comma or full stop stays behind
        begin = start + len(link) - len(link.lstrip(" \t\n\r,;.")) if i else start
        yield _Chunk(
            begin, stop,
            [c for c in cues if begin <= c.start < stop and not any(a < c.start < b for a, b in depth)],
            link,
            [m for m in materials if begin <= m.start < stop],
            [q for q in quantities if begin <= q.start < stop],
        )  # fmt: skip


def _parentheses(text: str, start: int, end: int) -> list[tuple[int, int]]:
    spans, opened = [], []
    for match in re.finditer(r"[()]", text[start:end]):
        place = start + match.start()
        if match[0] == "(":
            opened.append(place)
        elif opened:
            spans.append((opened.pop(), place))
    return spans


def _is_treatment(
    group: Sequence[_Chunk], kinds: Sequence[str] = ("duration", "count", "concentration")
) -> bool:
    materials = any(c.materials for c in group)
    return materials and any(q.kind in kinds for c in group for q in c.quantities)


def _stands_alone(text: str, group: Sequence[_Chunk]) -> bool:
    """Whether a group without a verb is a treatment, and no beginning of the next one."""
    if _is_treatment(group, ("duration", "count")) or _ONLY_GRIDS.fullmatch(
        text[group[0].start : group[-1].end]
    ):
        return True
    if group[0].link == "\0" or unknown_name(text[group[0].start : group[0].end]):
        return True
    if _CONTEXT_HEAD.match(text[group[0].start : group[0].end]):
        return False
    named = {m.group for c in group for m in c.materials}
    opened = len(group) > 1 or group[0].link != ""
    return _is_treatment(group) or (bool(named & _STRONG_GROUPS) and opened)


def unknown_name(words: str) -> str | None:
    """Return the name in ``name 3 x 10 min`` or ``1% name``, for where the lexicon has none."""
    found = _UNKNOWN.match(words) or _UNKNOWN_SHARE.match(words)
    if found is None or found[1].lower() in _FUNCTION_WORDS:
        return None
    return None if find_cues(found[1], 0, len(found[1])) else found[1]


def _begins(
    text: str, chunk: _Chunk, group: Sequence[_Chunk], last_action: str
) -> tuple[bool, bool]:
    """Return whether *chunk* begins a treatment, and whether it does what was done before."""
    if not group:
        return True, False
    words = text[chunk.start : chunk.end]
    if _ARROW.search(chunk.link) and (
        chunk.materials or chunk.cues or unknown_name(words) or _ONLY_GRIDS.fullmatch(words)
    ):
        return True, False
    if chunk.link == "\0" or _NOT_STEP.search(words):
        return True, False
    if re.search(r"\bbeing\b", words) and not _PASSIVE.search(words):
        return False, False
    if _RELATIVE.match(words) and not _PASSIVE.search(words):
        chunk.cues.clear()
        return False, False
    verbs = [c for c in chunk.cues if c.is_verb]
    timed = any(q.kind in ("duration", "count") for q in chunk.quantities)
    details = bool(chunk.materials or chunk.quantities)
    verbs = [c for c in verbs if not (c.action == "label" and not details)]
    for cue in verbs:
        if cue.action not in _WEAK or cue.action in ("image", "prepare"):
            return True, False
        if cue.action in ("incubate", "apply", "hold") and chunk.materials:
            return True, False
        if cue.action == "thaw" and last_action == "wash" and _DRIED.search(words):
            return True, False
        if cue.action in _WEAK and _SAME_FIXATIVE.search(words):
            return True, False
        if cue.action == "incubate" and details:
            return True, False
        if cue.action == "apply" and last_action == "section" and _GRIDS.search(words):
            return True, False
    nouns = [c for c in chunk.cues if not c.is_verb]
    introduced = _THEN_MATERIAL.search(chunk.link) or re.match(
        r"\W*(?:after|following|by|three|two|four|five|six|\d)", words, re.I
    )
    if re.match(r"\W*(?:and\s)?(?:before|prior\sto|until)\b", words, re.I):
        introduced = None
    if nouns and (details or introduced) and not (nouns[0].action in _WEAK and not chunk.materials):
        return True, False
    complete = any(q.kind in ("duration", "count") for c in group for q in c.quantities)
    named = any(c.materials for c in group)
    new = {m.canonical for m in chunk.materials} - {m.canonical for c in group for m in c.materials}
    foreign = {m.group for m in chunk.materials} & _STRONG_GROUPS
    if foreign and (
        (last_action == "wash" and (timed or not named))
        or (last_action in ("section", "collect", "trim") and not named)
    ):
        return True, False
    if ";" in chunk.link and (
        (named and new) or (chunk.quantities and (chunk.materials or unknown_name(words)))
    ):
        return True, False
    coats = any(m.group == "metal" for m in chunk.materials)
    if coats and any(q.kind == "length" for q in chunk.quantities) and not chunk.cues:
        return True, False
    held = {m.group for c in group for m in c.materials}
    liquids = {"water", "buffer"}
    if foreign and timed and held and held <= liquids:
        return True, last_action == "perfuse" and foreign == {"aldehyde"}
    if (
        complete
        and new
        and {m.group for m in chunk.materials} <= liquids
        and _ONLY_LIQUID.fullmatch(words)
    ):
        return True, False
    if (
        last_action == "stain"
        and foreign
        and (_AND_WITH.match(words) or (foreign == {"lead"} and "uranyl" in held))
    ):
        return True, True
    if last_action == "section" and _ONLY_GRIDS.fullmatch(words):
        return True, False
    if last_action in ("wash", "dehydrate") and new and _LIQUID.fullmatch(words):
        wanted = liquids if last_action == "wash" else {"transition"}
        if {m.group for m in chunk.materials} <= wanted:
            return True, True
    if chunk.materials and named and last_action:
        if _THEN_MATERIAL.search(chunk.link) and (timed or new):
            return True, True
        if complete and timed and new:
            return True, True
    if chunk.materials and named and not last_action and complete and timed and new:
        return True, True
    return False, False
