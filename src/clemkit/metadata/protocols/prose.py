"""A protocol as prose: a methods paragraph for a paper, and one sentence for an archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from clemkit.metadata.protocols.grounding import ground
from clemkit.metadata.protocols.prose_clauses import Clause, clauses
from clemkit.metadata.protocols.prose_words import (
    NBSP,
    Namer,
    duration,
    joined,
    quantity,
    temperature,
)

__all__ = ["methods_paragraph", "summary_sentence"]

_SENTENCE = 190  # characters after which a sentence takes no further treatment
_PARAGRAPHS = 900  # a text shorter than this is one paragraph


def methods_paragraph(
    protocol: Mapping[str, Any],
    context: Mapping[str, Any],
    *,
    limit: int | None = None,
    plain: bool = False,
) -> str:
    """Return the protocol as text for a methods section: past tense, passive.

    Parameters
    ----------
    protocol : mapping
        A Protocol in long form.
    context : mapping
        The description that holds it, with its reagents and instruments.
    limit : int, optional
        Most characters. Vendors and instruments, then rinses and storage are left out where they
        do not fit, then everything but the summary.
    plain : bool, default False
        Ordinary spaces in place of no-break spaces, for fields of forms.

    Returns
    -------
    str
        Paragraphs, separated by empty lines. Steps that were not understood (UnparsedStep) are
        not told; :func:`~clemkit.metadata.protocols.markdown.to_markdown` shows them.
    """
    text = _text(protocol, context, details=True, rinses=True)
    if limit is not None and len(text) > limit:
        text = _text(protocol, context, details=False, rinses=True)
    if limit is not None and len(text) > limit:
        text = _text(protocol, context, details=False, rinses=False)
    if limit is not None and len(text) > limit:
        text = summary_sentence(protocol, context, limit=limit)
    return text.replace(NBSP, " ") if plain else text


def summary_sentence(
    protocol: Mapping[str, Any], context: Mapping[str, Any], *, limit: int = 600
) -> str:
    """Return the preparation in one sentence of at most *limit* characters, for an archive's form.

    Returns
    -------
    str
        Fixatives, freezing, stains, solvent, resin, curing and sections; without no-break
        spaces. Empty where no step says any of it.
    """
    for most in (99, 3, 1):  # materials of each step
        text = _summary(protocol, Namer(context, details=False), most).replace(NBSP, " ")
        if len(text) <= limit:
            return text
    cut = text[: limit - 1].rsplit(",", 1)[0].rstrip(" ,")
    return f"{cut}." if limit > 1 else ""


def _text(
    protocol: Mapping[str, Any], context: Mapping[str, Any], *, details: bool, rinses: bool
) -> str:
    told = list(clauses(protocol.get("steps") or (), Namer(context, details=details)))
    if not rinses:
        told = [c for c in told if c.kind not in ("Rinsing", "Storage")]
    target = str(protocol.get("target_material") or "").strip()
    groups = list(_groups(told))
    first = _Writer(target)
    lengths = [len(first.sentence(group, named=False)) for group in groups]
    starts = _starts([group[0].phase for group in groups], lengths)
    writer = _Writer(target)
    text = ""
    for index, group in enumerate(groups):
        gap = "" if index == 0 else "\n\n" if index in starts else " "
        text += gap + writer.sentence(group, named=index in starts)
    return text


def _starts(phases: Sequence[int], lengths: Sequence[int]) -> set[int]:
    """Return the sentences that begin a paragraph: at a new phase, unless one would be short."""
    if sum(lengths) <= _PARAGRAPHS:
        return {0}
    starts = [i for i, phase in enumerate(phases) if i == 0 or phase != phases[i - 1]]
    sizes = [sum(lengths[a:b]) for a, b in zip(starts, [*starts[1:], len(lengths)], strict=True)]
    kept, size = {0}, sizes[0]
    for start, more in zip(starts[1:], sizes[1:], strict=True):
        if size >= 350 and more >= 150:
            kept.add(start)
            size = more
        else:
            size += more
    return kept


def _groups(told: Sequence[Clause]) -> Iterator[list[Clause]]:
    """Yield the clauses of each sentence: one subject and phase, a rinse with what came before."""
    group: list[Clause] = []
    for clause in _merged(told):
        follows = clause.kind == "Rinsing"
        length = sum(len(c.words) for c in group)
        apart = bool(group) and (
            bool(clause.sentence)
            or bool(group[-1].sentence and not _continues(group[-1], clause))
            or clause.subject != group[-1].subject
            or (
                not follows
                and (clause.phase != group[-1].phase or length + len(clause.words) > _SENTENCE)
            )
            or (follows and length > 2 * _SENTENCE)
            or len(group) >= 5
        )
        if apart:
            yield group
            group = []
        group.append(clause)
    if group:
        yield group


def _continues(first: Clause, clause: Clause) -> bool:
    """Whether *clause* can go on in the sentence ``Sections of … were cut …``."""
    return first.kind == "Sectioning" and clause.subject == "sections" and not clause.sentence


def _merged(told: Sequence[Clause]) -> Iterator[Clause]:
    """Join neighbours with the same verb: ``stained en bloc with A for 1 h and B for 2 h``."""
    pending: Clause | None = None
    count = 1
    for clause in told:
        same = (
            pending is not None
            and not clause.sentence
            and not pending.sentence
            and (clause.subject, clause.verb, clause.phase, clause.kind)
            == (pending.subject, pending.verb, pending.phase, pending.kind)
            and clause.kind != "Rinsing"
            and clause.rest
            and pending.rest
            and count < 3
        )
        if same and pending is not None:
            pending = replace(pending, rest=f"{pending.rest}, then {clause.rest}")
            count += 1
            continue
        if pending is not None:
            yield pending
        pending, count = clause, 1
    if pending is not None:
        yield pending


class _Writer:
    """Writes sentences one after the other and remembers who was spoken of."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._subject = ""
        self._count = 0
        self._rinse = ""

    def sentence(self, group: Sequence[Clause], *, named: bool) -> str:
        """Return the sentence of a group of clauses."""
        leading = group[0]
        words = [self._words(c) for c in group if not c.sentence]
        if leading.sentence:
            opening = leading.sentence
            self._subject, self._count = leading.subject, 0
            if not words:
                return f"{opening}."
            return f"{_after(opening, words)}."
        return f"{self._opening(leading.subject, named=named)} {_listed(words)}."

    def _opening(self, subject: str, *, named: bool) -> str:
        if subject != self._subject:
            known = bool(self._subject)
            self._subject, self._count = subject, 0
            name = subject.capitalize()
            if self._target and not known:
                name = f"{name} ({self._target})"
            return f"{name} were"
        if named:
            self._count = 0
            return f"The {subject} were then"
        self._count += 1
        openings = (f"The {subject} were then", "They were then", "Next, they were")
        return openings[self._count % 3]

    def _words(self, clause: Clause) -> str:
        if clause.kind != "Rinsing":
            return clause.words
        if clause.words == self._rinse and clause.rest:
            return "rinsed as before"
        self._rinse = clause.words
        return clause.words


def _listed(words: Sequence[str]) -> str:
    if len(words) == 2:
        link = ", and " if " and " in words[0] or "," in words[0] else " and "
        return f"{words[0]}{link}{words[1]}"
    if len(words) > 2:
        heavy = any(" and " in w or "," in w for w in words)
        mark = ", and " if heavy else " and "
        return f"{', '.join(words[:-1])}{mark}{words[-1]}"
    return words[0]


def _after(opening: str, words: Sequence[str]) -> str:
    return _listed([opening, *words])


# what the summary tells of each step class, and its verb
_SUMMARY = {
    "Perfusion": "perfused with",
    "ChemicalFixation": "fixed with",
    "PostFixation": "post-fixed with",
    "EnBlocStaining": "stained en bloc with",
    "Staining": "stained with",
    "ImmunoLabelling": "immunolabelled with",
    "FluorescentLabelling": "labelled with",
    "DabReaction": "reacted with",
    "FreezeSubstitution": "freeze-substituted in",
    "Dehydration": "dehydrated in",
    "Infiltration": "infiltrated with",
    "PostStaining": "stained with",
    "Coating": "coated with",
}


def _summary(protocol: Mapping[str, Any], names: Namer, most: int) -> str:
    parts: list[tuple[str, list[str], str]] = []
    for step in protocol.get("steps") or ():
        kind = str(step.get("type"))
        if kind == "HighPressureFreezing":
            entry: tuple[str, list[str], str] = ("high-pressure frozen", [], "")
        elif kind == "PlungeFreezing":
            entry = ("plunge-frozen", [], "")
        elif kind == "CriticalPointDrying":
            entry = ("critical-point dried", [], "")
        elif kind in ("OvenCuring", "UvPolymerization"):
            light = "under ultraviolet light " if kind == "UvPolymerization" else ""
            how = f"{temperature(step.get('temperature'))} {duration(step.get('duration'))}".strip()
            entry = (f"cured {light}{how}".strip(), [], "")
        elif kind == "Sectioning":
            thickness = quantity(step.get("target_thickness"))
            entry = (f"cut into sections of {thickness}" if thickness else "sectioned", [], "")
        elif kind in _SUMMARY:
            entry = (_SUMMARY[kind], _substances(step, names), "")
            if not entry[1]:
                entry = (_SUMMARY[kind].rsplit(" ", 1)[0], [], "")
        else:
            continue
        if parts and parts[-1][0] == entry[0].split(" with")[0] + " with" and not entry[1]:
            continue
        if parts and f"{parts[-1][0]} with" == entry[0]:
            parts.pop()
        if parts and parts[-1][0] == entry[0]:
            parts[-1][1].extend(n for n in entry[1] if n not in parts[-1][1])
        else:
            parts.append(entry)
    words = [f"{verb} {joined(found[:most])}".strip() for verb, found, _ in parts]
    if not words:
        return ""
    target = str(protocol.get("target_material") or "").strip()
    who = f"Samples ({target})" if target else "Samples"
    return f"{who} were {_listed(words)}."


def _substances(step: Mapping[str, Any], names: Namer) -> list[str]:
    """Return what acts in a step, without buffers and solvents of it."""
    uses = list(step.get("materials") or ())
    uses += [step[k] for k in ("to_material",) if step.get(k)]
    if step.get("resin"):
        uses.append({"material": step["resin"]})
    found: list[str] = []
    solvents: list[str] = []
    minor: list[str] = []
    inside: set[str] = set()  # what a named solution before it is made of
    for use in uses:
        name = names.material(use)
        known = ground(name)
        role = use.get("reagent_role") or known.role
        if role == "cryogen" or known.canonical in inside or not name:
            continue
        inside |= {part.name for part in known.components}
        where = (
            solvents
            if role in ("buffer", "solvent")
            else minor
            if role in ("additive", "blocking_agent", "detergent", "quencher")
            else found
        )
        if name not in where:
            where.append(name)
    found = found or minor
    if step.get("type") == "Dehydration":
        return [*found, *solvents]
    if step.get("type") == "FreezeSubstitution" and solvents:
        medium = joined(s for s in solvents if ground(s).canonical != "water")
        return [f"{joined(found)} in {medium}" if found else medium]
    return found
