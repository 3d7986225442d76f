"""Say what a name in a protocol stands for: substance, solution, instrument, process.

Terms come from ChEBI, MeSH, OBI, CHMO and FBbi as pinned in `ontology/terms.tsv`; what has no term
there has a local one. A name with two meanings is reported as ambiguous, also where one meaning is
taken because it is by far the commonest; a name that is not known stays unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from clemkit.metadata.protocols.antibodies import NamedAntibody, antibodies_in
from clemkit.metadata.protocols.forms import Form, Hit, tokens
from clemkit.metadata.protocols.lexicon import form_table, lexicon, row_named

__all__ = [
    "Grounding",
    "Mention",
    "SolutionPart",
    "find_instruments",
    "find_materials",
    "find_processes",
    "ground",
    "ground_instrument",
    "ground_process",
    "instrument_entry",
    "material_entry",
    "specimen_state",
]

Match = Literal["exact", "close", "broad", "local", "ambiguous", "unknown"]
_WINDOW = 60  # characters on each side of a mention that may tell what it means
_GRADES = frozenset(
    {"absolute", "anhydrous", "aqueous", "buffered", "chilled", "cold", "dry", "electron", "em"}
    | {"fresh", "freshly", "grade", "high-purity", "ice-cold", "microscopy", "of", "prepared"}
    | {"pure", "purified", "reagent", "solution", "stock", "the", "ultrapure", "warm"}
)

# a concentration before a name, a size before or after it
_NUMBER = r"\d+(?:[.,]\d+)?(?:\s*[-–]\s*\d+(?:[.,]\d+)?)?"
_AMOUNT = re.compile(
    rf"^{_NUMBER}\s*(?:%|mM|µM|uM|M|mg/ml|µg/ml|N)\s*(?:\(?[wv]/[wv]\)?)?\s+"
    rf"|^{_NUMBER}[\s-]*nm\s+|\s+\(?{_NUMBER}[\s-]*nm\)?$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SolutionPart:
    """A component of a named solution; quantities of its reference in the model's long form."""

    name: str
    role: str
    concentration: Mapping[str, Any] | None = None
    amount: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounding:
    """What a name stands for.

    Attributes
    ----------
    verbatim : str
        The name that was asked for.
    canonical : str
        The name of the lexicon; the name that was asked for when it is not known.
    kind : str
        reagent, product, solution, antibody, fluorophore, tag, gas, instrument, process, unknown.
    match : str
        How the term fits: exact, close, broad, local (a clemkit term), ambiguous, unknown.
    term_id, term_label : str or None
        Term and its label; of the meaning that was taken when the name is ambiguous.
    role : str or None
        What it mostly is for, a value of the model's ReagentRole; the step class of a process.
    synonyms : tuple of str
        Other spellings.
    broader : tuple of str
        Terms of the class, or of the same substance in another vocabulary.
    components : tuple of SolutionPart
        What a solution is made of.
    varies : bool
        Whether recipes of the solution differ, so that quantities must come from the source.
    candidates : tuple of str
        Meanings of an ambiguous name, in canonical names.
    note : str
        What is worth knowing: why it is ambiguous, how the term differs.
    """

    verbatim: str
    canonical: str
    kind: str
    match: Match
    term_id: str | None = None
    term_label: str | None = None
    role: str | None = None
    formula: str | None = None
    cas: str | None = None
    hazards: str | None = None
    ph: float | None = None
    reference: str | None = None
    synonyms: tuple[str, ...] = ()
    broader: tuple[str, ...] = ()
    components: tuple[SolutionPart, ...] = ()
    varies: bool = False
    candidates: tuple[str, ...] = ()
    note: str = ""

    @property
    def is_known(self) -> bool:
        """Whether the name is in the lexicon with one meaning."""
        return self.match not in ("ambiguous", "unknown")


@dataclass(frozen=True, slots=True)
class Mention:
    """A name in a text, at ``text[start:end]``; its kind is that of the grounding.

    The kind "tag" is what cells make themselves, such as GFP: seldom a reagent of a step.
    """

    start: int
    end: int
    verbatim: str
    canonical: str
    ambiguous: bool = False
    kind: str = "unknown"


def ground(name: str, *, context: str | None = None) -> Grounding:
    """Say what *name* stands for.

    Parameters
    ----------
    name : str
        Name, abbreviation, formula or trade name of a material.
    context : str, optional
        Words around the name. They may tell which meaning an ambiguous one has.

    Returns
    -------
    Grounding
        With ``match`` "unknown" when the name is not known: nothing is guessed from parts of it.
    """
    text = name.strip().strip(".,;:").strip()
    form = _form_of("material", text)
    if form is None and (named := next(antibodies_in(text), None)) and named.start == 0:
        return _antibody(name, named) if named.end == len(text) else _unknown(name, text)
    if form is None and (found := re.fullmatch(r"(.+?)\s*[(\[]([^()\[\]]+)[)\]]", text)):
        return _two_names(name, found[1], found[2], context)
    if form is None:
        bare = _AMOUNT.sub("", text)
        words = [w for w in re.split(r"\s+", bare) if w.lower().strip(",") not in _GRADES]
        shorter = " ".join(words).strip(" ,")
        form = _form_of("material", shorter) if shorter and shorter != text else None
    if form is None:
        return _unknown(name, text)
    if form.owner.startswith("?"):
        return _ambiguous(name, form.owner[1:], context)
    return _known(name, form.owner)


def ground_instrument(name: str) -> Grounding:
    """Say which instrument *name* is; ``role`` is the model's kind of instrument."""
    return _plain_ground("instrument", name, "kind")


def ground_process(name: str) -> Grounding:
    """Say which process *name* is; ``role`` is the step class of the model."""
    return _plain_ground("process", name, "step")


def find_materials(text: str) -> list[Mention]:
    """Return the materials that *text* names, in order; the longest name at each place."""
    named = [
        Mention(a.start, a.end, text[a.start : a.end], a.name, False, "antibody")
        for a in antibodies_in(text)
    ]
    others = []
    for hit in form_table("material").search(text):
        if not any(a.start < hit.end and hit.start < a.end for a in named):
            meaning = _resolved(hit, text) or _known(hit.form.text, hit.form.owner)
            ambiguous = meaning.match == "ambiguous"
            words = text[hit.start : hit.end]
            others.append(
                Mention(hit.start, hit.end, words, meaning.canonical, ambiguous, meaning.kind)
            )
    return sorted([*named, *others], key=lambda m: m.start)


def find_instruments(text: str) -> list[Mention]:
    """Return the instruments that *text* names, in order."""
    return _mentions("instrument", text)


def find_processes(text: str) -> list[Mention]:
    """Return the processes that *text* names, also as verbs, in order."""
    return _mentions("process", text)


def specimen_state(words: str) -> tuple[str, str, str] | None:
    """Return value, term and label of the specimen state that *words* name; None when unknown."""
    key = [t.text.lower() for t in tokens(words)]
    for row in lexicon()["states"]:
        if key in [[t.text.lower() for t in tokens(n)] for n in (row["value"], *row["names"])]:
            return row["value"], row["term"], row["term_label"]
    return None


def material_entry(grounding: Grounding, entry_id: str, *, recipe: bool = True) -> dict[str, Any]:
    """Return a reagent or solution of the model, in long form, for what *grounding* says.

    Parameters
    ----------
    grounding : Grounding
        What the name stands for.
    entry_id : str
        The entry's ``id``.
    recipe : bool, default True
        Whether a named solution gets the components of the lexicon. Their quantities are those of
        the reference, not of the source: they are marked as interpretation, and left out where
        recipes differ.

    Returns
    -------
    dict
        An unknown name gives a reagent with that name only. An ambiguous one gets a note, and a
        term only where one meaning was taken.
    """
    solution = grounding.kind == "solution"
    antibody = grounding.kind == "antibody"
    entry: dict[str, Any] = {
        "id": entry_id,
        "type": "Solution" if solution else "Antibody" if antibody else "Reagent",
        "name": grounding.canonical,
    }
    if grounding.term_id:
        entry["substance_term"] = {"term": grounding.term_id, "term_label": grounding.term_label}
    if grounding.verbatim.strip() not in ("", grounding.canonical):
        entry["synonyms"] = [grounding.verbatim.strip()]
    if antibody and (named := next(antibodies_in(grounding.verbatim), None)):
        more = {"antibody_target": named.target, "host_species": named.host}
        more["clonality"] = named.clonality
        entry |= {key: value for key, value in more.items() if value}
    if entry["type"] == "Reagent":
        more = {"cas_number": grounding.cas, "formula": grounding.formula}
        entry |= {key: value for key, value in more.items() if value}
    if grounding.hazards:
        entry["hazards"] = grounding.hazards
    notes = [grounding.note] if grounding.match in ("ambiguous", "close", "broad") else []
    if grounding.match == "ambiguous":
        notes.append(f"Ambiguous: {', '.join(grounding.candidates) or 'no candidate'}.")
    if solution and recipe and grounding.components:
        fixed = not grounding.varies
        entry["components"] = [_component_entry(part, fixed) for part in grounding.components]
        if grounding.varies:
            notes.append("Recipes differ; the quantities must come from the source.")
        elif grounding.reference and any(p.concentration or p.amount for p in grounding.components):
            notes.append(f"Quantities after {grounding.reference}.")
    if notes:
        entry["notes"] = " ".join(filter(None, notes))
    return entry


def instrument_entry(grounding: Grounding, entry_id: str) -> dict[str, Any]:
    """Return an instrument of the model, in long form, for what *grounding* says."""
    entry: dict[str, Any] = {"id": entry_id, "name": grounding.canonical}
    if grounding.kind == "instrument":
        row = row_named("instrument", grounding.canonical)
        entry["instrument_kind"] = row["kind"]
        entry["instrument_term"] = {"term": row["term"], "term_label": row["term_label"]}
        more = {"manufacturer": row.get("manufacturer"), "model_name": row.get("model")}
        entry |= {key: value for key, value in more.items() if value}
        if row["match"] == "local":  # the kind says it; the term is that of the kind
            del entry["instrument_term"]
    return entry


def _component_entry(part: SolutionPart, fixed: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"material_name": part.name}
    if part.concentration and fixed:
        entry["concentration"] = {**part.concentration, "is_interpretation": True}
    if part.amount and fixed:
        entry["amount"] = {**part.amount, "is_interpretation": True}
    return {**entry, "reagent_role": part.role}


def _form_of(subject: str, text: str) -> Form | None:
    found = form_table(subject).named(text) if tokens(text) else []
    if not found:
        return None
    owners = {f.owner for f in found}
    right_case = [f for f in found if not f.case or _letters(f.text) == _letters(text)]
    if len(owners) == 1 and (right_case or len(_letters(text)) > 2):
        return found[0]
    return right_case[0] if right_case else None


def _letters(text: str) -> str:
    return "".join(t.text for t in tokens(text))


def _unknown(verbatim: str, name: str) -> Grounding:
    return Grounding(verbatim=verbatim, canonical=name, kind="unknown", match="unknown")


def _known(verbatim: str, canonical: str) -> Grounding:
    row = row_named("material", canonical)
    spelt = tuple(
        n.removeprefix("~") for n in (*row.get("abbreviations", ()), *row.get("names", ()))
    )
    return Grounding(
        verbatim=verbatim,
        canonical=canonical,
        kind=row.get("kind", "solution"),
        match=row["match"],
        term_id=row["term"],
        term_label=row["term_label"],
        role=row["role"],
        formula=row.get("formula"),
        cas=row.get("cas"),
        hazards=row.get("hazards") or _component_hazards(row),
        ph=row.get("ph"),
        reference=row.get("reference"),
        synonyms=spelt,
        broader=tuple(row.get("broader", ())),
        components=tuple(
            SolutionPart(
                name=part["component"],
                role=part["role"],
                concentration=part.get("concentration"),
                amount=part.get("amount"),
            )
            for part in row.get("components", ())
        ),
        varies=row.get("varies", False),
        note=row.get("note", ""),
    )


def _component_hazards(row: Mapping[str, Any]) -> str | None:
    """Return the hazards of what a solution is made of, each with its name."""
    found = []
    for part in row.get("components", ()):
        inner = row_named("material", part["component"])
        if "hazards" in inner and inner.get("role") != "solvent":
            found.append(f"{part['component']}: {inner['hazards']}")
    return " · ".join(found) or None


def _ambiguous(verbatim: str, form: str, context: str | None) -> Grounding:
    row = next(r for r in lexicon()["ambiguous"] if r["form"] == form)
    names = tuple(c["name"] for c in row["candidates"])
    if meaning := _told_by(row, context):
        known = _known(verbatim, meaning)
        note = f"{form!r} can mean {', '.join(names)}; its context tells {meaning}."
        return replace(known, note=" ".join(filter(None, (note, known.note))))
    preferred = row.get("preferred")
    if preferred is None:
        return Grounding(
            verbatim=verbatim,
            canonical=form,
            kind="unknown",
            match="ambiguous",
            candidates=names,
            note=row.get("note", ""),
        )
    note = f"{row.get('note', '')} Taken as {preferred}.".strip()
    return replace(_known(verbatim, preferred), match="ambiguous", candidates=names, note=note)


def _told_by(row: Mapping[str, Any], context: str | None) -> str | None:
    """Return the one candidate that words of the context speak for."""
    if not context:
        return None
    parts = [t.text for t in tokens(context)]
    lower = [p.lower() for p in parts]
    scores = {}
    for candidate in row["candidates"]:
        cues = [[t.text for t in tokens(cue)] for cue in candidate["cues"]]
        # M, pH and their like keep their case
        scores[candidate["name"]] = sum(
            _contains(parts, c)
            if len("".join(c)) <= 2
            else _contains(lower, [w.lower() for w in c])
            for c in cues
        )
    best = max(scores.values(), default=0)
    winners = [name for name, score in scores.items() if score == best]
    return winners[0] if best and len(winners) == 1 else None


def _contains(parts: Sequence[str], cue: Sequence[str]) -> bool:
    return any(list(parts[i : i + len(cue)]) == list(cue) for i in range(len(parts) - len(cue) + 1))


def _two_names(verbatim: str, first: str, second: str, context: str | None) -> Grounding:
    """Return what ``first (second)`` means: both must agree, or one of them be unknown."""
    one, two = ground(first, context=context), ground(second, context=context)
    if one.is_known and two.is_known and one.canonical != two.canonical:
        return Grounding(
            verbatim=verbatim,
            canonical=verbatim.strip(),
            kind="unknown",
            match="ambiguous",
            candidates=(one.canonical, two.canonical),
            note=f"{first!r} and {second!r} name two materials.",
        )
    taken = one if one.is_known or (one.match == "ambiguous" and not two.is_known) else two
    if taken.match == "unknown":
        return _unknown(verbatim, verbatim.strip())
    return replace(taken, verbatim=verbatim)


def _plain_ground(subject: str, name: str, role: str) -> Grounding:
    form = _form_of(subject, name.strip().strip(".,;:"))
    if form is None:
        return _unknown(name, name.strip())
    row = row_named(subject, form.owner)
    return Grounding(
        verbatim=name,
        canonical=form.owner,
        kind=subject,
        match=row["match"],
        term_id=row["term"],
        term_label=row["term_label"],
        role=row[role],
        synonyms=(*row.get("abbreviations", ()), *row.get("names", ())),
    )


def _resolved(hit: Hit, text: str) -> Grounding | None:
    if not hit.form.owner.startswith("?"):
        return None
    context = f"{text[max(0, hit.start - _WINDOW) : hit.start]} {text[hit.end : hit.end + _WINDOW]}"
    return _ambiguous(text[hit.start : hit.end], hit.form.owner[1:], context)


def _mentions(subject: str, text: str) -> list[Mention]:
    return [
        Mention(hit.start, hit.end, text[hit.start : hit.end], hit.form.owner, False, subject)
        for hit in form_table(subject).search(text)
    ]


def _antibody(verbatim: str, antibody: NamedAntibody) -> Grounding:
    general = "secondary antibody" if antibody.is_secondary else "primary antibody"
    of = f" of {antibody.host}" if antibody.host else ""
    kind = f" {antibody.clonality}" if antibody.clonality else ""
    note = f"A{kind} {general}{of} against {antibody.target}."
    return replace(_known(verbatim, general), canonical=antibody.name, synonyms=(), note=note)
