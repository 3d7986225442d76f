"""Words of the methods paragraph: numbers with units, times, temperatures, lists, materials."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clemkit.metadata.protocols.grounding import ground
from clemkit.metadata.protocols.lexicon import form_table
from clemkit.metadata.protocols.step_words import quantity_words

__all__ = [
    "NBSP",
    "Namer",
    "duration",
    "in_plural",
    "joined",
    "noted",
    "number_of_times",
    "quantity",
    "shown_name",
    "spaced",
    "temperature",
    "with_article",
    "worded",
]

NBSP = "\u00a0"
_TIMES = {1: "once", 2: "twice"}
_COUNTS = ("three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_OVERNIGHT = re.compile(r"over\s*-?\s*night|o/n|o\.n\.|üN", re.IGNORECASE)
_WEEKEND = re.compile(r"(?:over\s+(?:the\s+)?)?weekend", re.IGNORECASE)
_ROOM = re.compile(
    r"r\.?\s?t\.?|room\s+temp(?:erature|\.)?|ambient(?:\s+temp\w*)?|raumtemperatur", re.IGNORECASE
)
_ICE = re.compile(r"(?:on\s+)?ice|ice[- ]cold|auf\s+eis", re.IGNORECASE)


def joined(parts: Iterable[str]) -> str:
    """Return *parts* as people list them: ``a``, ``a and b``, ``a, b and c``."""
    known = [p for p in parts if p]
    if len(known) < 2:
        return "".join(known)
    # an "and" inside a part would be misread
    comma = "," if any(" and " in p for p in known) and len(known) > 2 else ""
    return f"{', '.join(known[:-1])}{comma} and {known[-1]}"


def number_of_times(count: int) -> str:
    """Return ``twice``, ``three times``, ``15 times``."""
    if count in _TIMES:
        return _TIMES[count]
    return f"{_COUNTS[count - 3]} times" if count <= 12 else f"{count}{NBSP}times"


def quantity(value: Mapping[str, Any] | None) -> str:
    """Return a quantity with a no-break space before its unit; ``% (w/v)`` in parentheses."""
    words = quantity_words(value)
    words = re.sub(r"% (w/v|v/v|w/w)$", r"% (\1)", words)
    if value and value.get("unit") == "deg":
        return words.replace(" °", "°")
    if value and value.get("unit") == "d":
        days = "day" if words == "1 d" else "days"
        words = re.sub(r" d$", f" {days}", words)
    return re.sub(r"(?<=[0-9]) (?=\S)", NBSP, words)


def duration(value: Mapping[str, Any] | None, each: bool = False) -> str:
    """Return ``for 1 h``, ``for 10–15 min each``, ``overnight``; nothing for nothing."""
    if not value:
        return ""
    verbatim = str(value.get("verbatim") or "")
    if value.get("is_interpretation") and _OVERNIGHT.search(verbatim):
        return "overnight"
    if value.get("is_interpretation") and _WEEKEND.search(verbatim):
        return "over a weekend"
    words = _bounded(quantity(value))
    return f"for {words}{' each' if each else ''}" if words else ""


def temperature(value: Mapping[str, Any] | None) -> str:
    """Return ``at 4 °C``, ``at room temperature``, ``on ice``; nothing for nothing."""
    if not value:
        return ""
    verbatim = str(value.get("verbatim") or "").strip()
    if value.get("is_interpretation") and _ROOM.search(verbatim):
        return "at room temperature"
    if value.get("is_interpretation") and _ICE.search(verbatim):
        return "on ice"
    words = _bounded(quantity(value))
    return f"at {words}" if words else ""


def _bounded(words: str) -> str:
    return re.sub(r"≤[ \u00a0]?", "up to ", re.sub(r"≥[ \u00a0]?", "at least ", words))


def worded(value: str, before: str = "", after: str = "") -> str:
    """Return *value* between *before* and *after*; nothing for nothing."""
    return f"{before}{value}{after}" if value else ""


def spaced(parts: Iterable[str]) -> str:
    """Return *parts* with spaces between them; neighbours in parentheses share one pair."""
    return " ".join(p for p in parts if p).replace(") (", "; ")


def noted(parts: Iterable[str]) -> str:
    """Return *parts* in parentheses, separated by semicolons; nothing for nothing."""
    return worded("; ".join(p for p in parts if p), "(", ")")


_COUNTABLE = {
    "wafer", "grid", "coverslip", "slide", "stub", "pin", "holder", "knife", "vibratome", "vial",
    "microtome", "ultramicrotome", "disc", "disk", "carrier", "dish", "tube", "oven", "blade",
    "razor", "mould", "mold", "capsule", "rotator", "shaker", "chip", "saw", "tool", "laser",
}  # fmt: skip


def with_article(words: str) -> str:
    """Return *words* with ``a`` or ``an`` where they end with one countable thing."""
    plain = words.strip()
    last = re.sub(r"[^a-z]", "", plain.split(" (")[0].split()[-1].lower()) if plain else ""
    if last not in _COUNTABLE or re.match(r"(?:an?|the|one|two|[0-9])\b", plain, re.IGNORECASE):
        return plain
    vowel = re.match(r"[aeio]|ultra|un|[AEFHILMNORSX][A-Z0-9]", plain)
    return f"{'an' if vowel else 'a'} {plain}"


def in_plural(words: str) -> str:
    """Return *words* in the plural where they end with one countable thing."""
    last = words.split()[-1].lower() if words.strip() else ""
    starts = re.match(r"(?:an?|the|one|two|[0-9])\b", words, re.IGNORECASE)
    return f"{words}s" if last in _COUNTABLE and last != "knife" and not starts else words


_PLAIN = ("oven", "microwave_processor")  # the step itself says so
_IMAGES = re.compile(r"_microscope|ct_scanner|block_face")


class Namer:
    """Names of materials and instruments of one description, as prose shows them.

    A solution is explained and a vendor named where it occurs first. Without *explain*, names are
    as written; without *details*, neither vendors nor instruments are named.
    """

    def __init__(
        self, context: Mapping[str, Any], *, details: bool = True, explain: bool = True
    ) -> None:
        self._materials = {m["id"]: m for m in context.get("reagents") or () if "id" in m}
        self._instruments = {i["id"]: i for i in context.get("instruments") or () if "id" in i}
        self._details = details
        self._explain = details and explain
        self._prose = explain
        self._told: set[str] = set()
        self.last_resin = ""

    def material(self, use: Mapping[str, Any], key: str = "material") -> str:
        """Return the name of what *use* refers to; with vendor and components the first time."""
        entry = self.entry(use, key)
        own = str(entry.get("name") or use.get(key) or "")
        name = str(use.get(f"{key}_name") or own)
        if self._prose:
            unclear = not re.search(r"[a-z]{4}", name) or not ground(name).is_known
            name = shown_name(own if unclear and ground(own).is_known else name)
        if not entry or not self._explain or entry["id"] in self._told:
            return name
        self._told.add(entry["id"])
        inside = self._components(entry)
        source = ", ".join(
            str(entry[k]) for k in ("vendor", "catalogue_number", "rrid") if entry.get(k)
        )
        more = "; ".join(p for p in (inside, source) if p)
        return f"{name} ({more})" if more else name

    def entry(self, use: Mapping[str, Any], key: str = "material") -> Mapping[str, Any]:
        """Return the reagent or solution that *use* refers to; empty where there is none."""
        return self._materials.get(str(use.get(key)), {})

    def material_of(self, entry_id: Any) -> str:
        """Return the name of the material with this id."""
        return self.material({"material": entry_id}) if entry_id else ""

    def instruments(self, ids: Sequence[Any]) -> str:
        """Return the instruments with these ids: maker and model, else the name."""
        return joined(
            self._instrument(self._instruments.get(str(i), {"name": str(i)})) for i in ids
        )

    def without_general(self, ids: Sequence[Any]) -> list[Any]:
        """Return *ids* without instruments that only say of which kind another one is."""
        if not self._details:
            return []
        known = [self._instruments.get(str(i), {}) for i in ids]
        made = {k.get("instrument_kind") for k in known if k.get("model_name")}
        return [
            i
            for i, k in zip(ids, known, strict=True)
            if (k.get("model_name") or k.get("instrument_kind") not in made)
            and not _IMAGES.search(str(k.get("instrument_kind") or ""))
            and (k.get("model_name") or k.get("instrument_kind") not in _PLAIN)
        ]

    def is_model(self, entry_id: Any) -> bool:
        """Whether the instrument with this id is a maker's model, not a kind of instrument."""
        return bool(self._instruments.get(str(entry_id), {}).get("model_name"))

    def _instrument(self, entry: Mapping[str, Any]) -> str:
        maker, model, name = (
            str(entry.get(k) or "") for k in ("manufacturer", "model_name", "name")
        )
        if not model:
            return f"{name}, {maker}" if maker and maker not in name else name
        if model in name:
            return name
        return f"{maker} {model}".strip()

    def _components(self, entry: Mapping[str, Any]) -> str:
        told = [c for c in entry.get("components") or () if not _assumed(c)]
        if not told or not any(
            c.get("concentration") or c.get("amount") or c.get("parts") for c in told
        ):
            return ""
        words = self.mixture(told)
        ph = entry.get("solution_ph")
        return f"{words}; pH{NBSP}{ph:.12g}" if ph is not None else words

    def mixture(self, uses: Sequence[Mapping[str, Any]], ph: float | None = None) -> str:
        """Return materials with their concentrations: what acts, then what it is in."""
        places: dict[str, list[Mapping[str, Any]]] = {}
        for use in uses:
            places.setdefault(_place(use, self.entry(use)), []).append(use)
        acting, carriers, additives, cold = (
            places.get(p, []) for p in ("acting", "carrier", "additive", "cryogen")
        )
        if not acting and not carriers:
            acting, cold = cold, []
        if not acting:
            acting, carriers = carriers, []
        if not acting:
            acting, additives = additives, []
        if not carriers and additives:
            acting, additives = [*acting, *additives], []
        named, acting = self._named_first(acting)
        solvents = [self._solvent(u) for u in acting]
        common = solvents[0] if len(set(solvents)) == 1 else ""
        words = joined(
            self.use(u) + (f" in {s}" if s and not common else "")
            for u, s in zip(acting, solvents, strict=True)
        )
        behind = [f"in {common}"] if common else []
        if carriers:
            behind.append(f"in {joined(self.use(u, buffer=True) for u in carriers)}")
        if additives:
            behind.append(f"with {joined(self.use(u) for u in additives)}")
        if cold:
            behind.append(f"under {joined(self.use(u) for u in cold)}")
        text = " ".join([words, *behind])
        if named:
            inside = text if ph is None else f"{text}; pH{NBSP}{ph:.12g}"
            return f"{named} ({inside})"
        if ph is None:
            return text
        acidity = f"(pH{NBSP}{ph:.12g})"
        if additives and not cold:  # the pH is that of the buffer
            return f"{' '.join([words, *behind[:-1]])} {acidity} {behind[-1]}"
        return f"{text} {acidity}"

    def _named_first(
        self, acting: Sequence[Mapping[str, Any]]
    ) -> tuple[str, list[Mapping[str, Any]]]:
        """Return a named solution whose components follow it, and those components."""
        if len(acting) < 2 or not any(map(_quantified, acting[1:])):
            return "", list(acting)
        names = [
            ground(str(u.get("material_name") or self.entry(u).get("name") or "")) for u in acting
        ]
        parts = {c.name for c in names[0].components if c.role not in ("buffer", "solvent")}
        if names[0].kind == "solution" and parts & {n.canonical for n in names[1:]}:
            return self.use(acting[0]), list(acting[1:])
        return "", list(acting)

    def _solvent(self, use: Mapping[str, Any]) -> str:
        if not (use.get("solvent") or use.get("solvent_name")):
            return ""
        return self.material({k: v for k, v in use.items() if k.startswith("solvent")}, "solvent")

    def use(self, use: Mapping[str, Any], buffer: bool = False) -> str:
        """Return one use of a material: ``2.5 % glutaraldehyde``, ``anti-GFP (1:200)``."""
        name = self.material(use)
        entry = self.entry(use)
        if (buffer or entry.get("type") == "Reagent" or not entry) and _is_buffer_salt(use, name):
            name = f"{name} buffer"
        head = quantity(use.get("concentration"))
        amount = quantity(use.get("amount"))
        if not head and amount:
            head = f"{amount} of"
        tail = [str(use["stage_ratio"])] if use.get("stage_ratio") else []
        if use.get("parts") is not None:
            tail.append(f"{use['parts']:.12g}{NBSP}part{'' if use['parts'] == 1 else 's'}")
        if head and amount and not head.endswith(" of"):
            tail.append(amount)
        words = f"{head} {name}".strip()
        return f"{words} ({', '.join(tail)})" if tail else words


def _quantified(use: Mapping[str, Any]) -> bool:
    return bool(use.get("concentration") or use.get("amount"))


def _assumed(component: Mapping[str, Any]) -> bool:
    """Whether a component's quantity is the lexicon's, not the source's."""
    found = [component.get(k) for k in ("concentration", "amount")]
    return any(f and f.get("is_interpretation") for f in found)


def shown_name(name: str) -> str:
    """Return *name* for running text: abbreviations written out, no capitals of a form."""
    found = ground(name)
    if not found.is_known or found.kind in ("product", "antibody", "fluorophore", "tag"):
        return name
    if found.canonical == "water":
        return name.lower() if "water" in name.lower() else "water"
    one_word = " " not in name and name.lower() not in _OWN_MEANING
    if name.lower() == found.canonical.lower() or not re.search(r"[a-z]{4}", name):
        return found.canonical
    if one_word and (found.kind in ("reagent", "gas") or len(name) <= 5):
        return found.canonical
    forms = form_table("material").named(name)
    lower = bool(forms) and forms[0].text[:1].islower()
    return name[:1].lower() + name[1:] if lower and name[:1].isupper() else name


_OWN_MEANING = ("formalin", "bleach")  # say more than the substance


_MEDIA = ("growth medium", "medium", "DMEM", "RPMI", "Murashige and Skoog medium", "YPD medium")


def _role(use: Mapping[str, Any], entry: Mapping[str, Any]) -> str | None:
    role = use.get("reagent_role")
    name = str(use.get("material_name") or entry.get("name") or "")
    return str(role) if role else ground(name).role if name else None


def _place(use: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    role = _role(use, entry)
    if role is None and str(use.get("material_name") or "").lower().endswith("buffer"):
        role = "buffer"
    unit = (use.get("concentration") or {}).get("unit", "")
    if role == "solvent" and 0 < (use.get("concentration") or {}).get("value", 0) <= 10:
        return "additive"  # some water in acetone
    if role in ("buffer", "solvent"):
        return "carrier"
    if role == "cryogen":
        return "cryogen"
    if ground(str(use.get("material_name") or entry.get("name") or "")).canonical in _MEDIA:
        return "carrier"
    if role == "additive" and unit in ("mM", "uM"):
        return "additive"
    return "acting"


def _is_buffer_salt(use: Mapping[str, Any], name: str) -> bool:
    """Whether *name* is the salt of a buffer, which prose calls a buffer."""
    found = ground(name)
    return (
        found.kind == "reagent"
        and found.role == "buffer"
        and found.canonical in ("sodium cacodylate", "HEPES", "PIPES", "MOPS", "MES", "tris")
        and (use.get("concentration") or {}).get("unit") in ("M", "mM", None)
    )
