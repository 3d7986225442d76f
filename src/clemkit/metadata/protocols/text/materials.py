"""Materials that a text names, with what each is for; and what a bare word such as *buffer* means."""
# ruff: noqa: E501  a pattern is read in one piece

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from clemkit.metadata.protocols.grounding import Mention, find_materials, ground

__all__ = ["NamedMaterial", "find_named_materials", "group_of"]


@dataclass(frozen=True, slots=True)
class NamedMaterial:
    """A material as the text names it.

    Attributes
    ----------
    start, end : int
        Offsets of the name.
    verbatim, canonical : str
        The name, and the name of the lexicon; the same where the lexicon does not know it.
    group : str
        What it does in a protocol: ``aldehyde``, ``osmium``, ``buffer``, ``resin``, …
    is_known : bool
        Whether the lexicon knows it with one meaning.
    is_ambiguous : bool
        Whether the name has several meanings.
    rule : str
        ``lexicon``, or ``carry-over`` for a bare word that stands for a material named before.
    """

    start: int
    end: int
    verbatim: str
    canonical: str
    group: str
    is_known: bool = True
    is_ambiguous: bool = False
    rule: str = "lexicon"


_BY_NAME: Final = {
    "aldehyde": "glutaraldehyde formaldehyde paraformaldehyde acrolein glyoxal picric_acid Karnovsky's_fixative "
    "half-strength_Karnovsky's_fixative",
    "osmium": "osmium_tetroxide reduced_osmium_tetroxide osmium_ferricyanide osmium-thiocarbohydrazide-osmium",
    "reducer": "potassium_ferrocyanide potassium_ferricyanide imidazole",
    "mordant": "thiocarbohydrazide tannic_acid pyrogallol gallic_acid",
    "uranyl": "uranyl_acetate uranyl_formate Uranyless uranyl_nitrate uranyl_oxalate uranyl uranyl_salt gadolinium_trichloride "
    "samarium_trichloride neodymium_acetate methyl_cellulose-uranyl_acetate hafnium_chloride",
    "lead": "lead_citrate Walton's_lead_aspartate lead_nitrate lead_acetate lead_stain bismuth_subnitrate",
    "section-dye": "toluidine_blue methylene_blue azure_A azure_B azure_C phosphotungstic_acid ammonium_molybdate Alcian_blue",
    "dab": "3,3'-diaminobenzidine",
    "peroxide": "hydrogen_peroxide",
    "water": "water",
    "dehydrant": "ethanol methanol acetone isopropanol tert-butanol acetonitrile 2,2-dimethoxypropane alcohol",
    "transition": "propylene_oxide",
    "protein": "bovine_serum_albumin acetylated_bovine_serum_albumin fish_skin_gelatin fetal_bovine_serum normal_goat_serum "
    "normal_donkey_serum milk_powder blocking_solution",
    "gel": "gelatin agarose agar",
    "immuno": "protein_A-gold gold_conjugate FluoroNanogold Nanogold primary_antibody secondary_antibody nanobody streptavidin "
    "avidin-biotin_complex antibody GoldEnhance HQ_Silver colloidal_gold horseradish_peroxidase",
    "bead": "TetraSpeck_beads FluoSpheres quantum_dots ferritin",
    "metal": "gold platinum gold-palladium platinum-palladium iridium chromium tungsten carbon organometallic_platinum",
    "adhesive": "silver_paint conductive_epoxy carbon_tape cyanoacrylate_glue",
    "medium": "DMEM RPMI growth_medium Murashige_and_Skoog_medium",
    "film": "pioloform formvar",
    "resin": "epoxy_resin acrylic_resin Lowicryl Quetol Epon-Araldite",
    "permanganate": "potassium_permanganate",
    "drying": "hexamethyldisilazane",
    "sugar": "sucrose trehalose glycerol PVP-sucrose methyl_cellulose-sucrose methyl_cellulose",
}
_GROUPS: Final = {
    name.replace("_", " "): group for group, names in _BY_NAME.items() for name in names.split()
}
_EXPRESSED = frozenset(
    ("GFP", "YFP", "mCherry", "tdTomato", "mEos4b", "mScarlet", "APEX2", "miniSOG")
)
_GENERIC = frozenset(
    (
        "fixative",
        "fixative solution",
        "buffer",
        "resin",
        "medium",
        "embedding medium",
        "aldehyde",
        "buffered",
    )
)
_SUPPORT_BEHIND = re.compile(
    r"[-–/\s]*(?:(?:formvar|carbon|pioloform|slot|Cu|copper|nickel|and|film|collodion|poly-?l-?lysine|Quantifoil|R\s?\d|mesh|\d+|finder|index|hexagonal|EM|TEM|support|micro)[-–/.\d\s]+){0,5}"
    r"(?:-?\s?coated|film|support|tape|grids?\b|rods?\b|fib(?:er|re)s?|tips?\b|knife|wire|slot|bars?|slit|foil|caps(?:ules?)?\b|moulds?\b|molds?\b|wafer|pellets?\sof)",
    re.I,
)
_MADE_FROM = re.compile(
    r"(?:stock|made|diluted|prepared|dissolved)\s(?:\w+\s){0,3}(?:in|from|with)\s(?:[\d.,]+\s?\S{1,4}\s)?\Z"
)
_ABSENT = re.compile(
    r"\b(?:no|without|lacking|omitting|instead\sof|rather\sthan|free\sof|excess|excluding|devoid\sof|absence\sof|except|not|avoid|ohne)\s(?:(?:any|added|the|further|free|additional)\s)?\Z",
    re.I,
)
_OVERNAMED = re.compile(r"\A(?:immuno-?gold|embed|film|label)\Z")


_CONJUGATED = re.compile(
    r"[-–\s]+(?:(?:conjugated|coupled|labell?ed)\s(?:to|with)\s)?(?:\d+[-\s]?nm[-\s](?:colloidal\s)?)?\Z"
)
_CONJUGATE_BEFORE = re.compile(r"\A(?:[-–\s]*(?:conjugated|labell?ed|coupled|tagged)?[-–\s]+)\Z")
# a bare buffer stands for the one named before; a bare resin says nothing new
_NEVER_CARRIED = frozenset(("resin", "fixative", "the resin", "resin mixture"))
_ANIMAL_ANTIBODY = re.compile(
    r"(?<![\w-])(?:rabbit|mouse|rat|goat|donkey|sheep|chicken|guinea[-\s]pig)\s"
    r"(?:polyclonal\s|monoclonal\s)?anti-[\w-]*\w"
)
_PROTEIN_A = re.compile(
    r"(?<![\w-])protein\s?A\s?(?:[-–]|conjugated\sto|coupled\sto)?\s?\d+\s?[-–]?nm[-\s](?:colloidal\s)?gold\b",
    re.I,
)
_OWN_NAME = re.compile(r"(?<![\w-])([A-Z][A-Z0-9]{1,6})\s=\s(?=\d|[a-z])")
_BARE = frozenset(("buffer", "puffer", "medium", "the same buffer", "same buffer"))
_MEDIUM = re.compile(
    r"(?<![\w-])(?:fresh\s|warm\s|culture\s|growth\s|full\s)*(medium)(?![\w-])(?!\s(?:was|were|size|to\shigh))(?<!to the medium)(?<!from the medium)"
)
_BUFFER = re.compile(
    r"(?<![\w-])(?:(?:the\s)?same\s|fresh\s|cold\s)?(buffer|Puffer)(?![\w-])(?!\s(?:[A-Z]\b|\d|exchange))(?<!blocking buffer)(?<!lysis buffer)(?<!incubation buffer)(?<!labeling buffer)(?<!labelling buffer)"
)


def find_named_materials(text: str) -> list[NamedMaterial]:
    """Return the materials of *text*, in order, without those that only describe a support.

    A bare *buffer* is the buffer that was named last.
    """
    mentions = find_materials(text)
    found = [_named(m) for m in mentions if _is_meant(m, text)]
    for match in _ANIMAL_ANTIBODY.finditer(text):
        if not any(m.start < match.end() and match.start() < m.end for m in mentions):
            name = f"anti-{match[0].rpartition('anti-')[2]} antibody"
            found.append(
                NamedMaterial(match.start(), match.end(), match[0], name, "immuno", is_known=False)
            )
    for match in _PROTEIN_A.finditer(text):
        found = [m for m in found if not (m.start < match.end() and match.start() < m.end)]
        found.append(
            NamedMaterial(match.start(), match.end(), match[0], "protein A-gold", "immuno")
        )
    found += _defined(text, found)
    found.sort(key=lambda m: m.start)
    found = _without_conjugates(found, text)
    taken = [m for m in mentions if m.canonical.lower() not in _GENERIC]
    for pattern, group in ((_BUFFER, "buffer"), (_MEDIUM, "medium")):
        for match in pattern.finditer(text):
            start, end = match.span(1)
            if (
                any(m.start < end and start < m.end for m in taken)
                or text[start - 1 : start] == "-"
            ):
                continue
            before = [
                m for m in found if m.group == group and m.end <= start and m.rule == "lexicon"
            ]
            if before:
                last = max(before, key=lambda m: m.start)
                found.append(
                    NamedMaterial(start, end, match[1], last.canonical, group, rule="carry-over")
                )
    return sorted(found, key=lambda m: m.start)


def _defined(text: str, found: Sequence[NamedMaterial]) -> list[NamedMaterial]:
    """Return where the text uses a short name that it defines itself: BB = 3% BSA in PBS."""
    more: list[NamedMaterial] = []
    for match in _OWN_NAME.finditer(text):
        name = match[1]
        if any(m.verbatim == name for m in found):
            continue
        parts = {m.group for m in found if match.end() <= m.start < match.end() + 60}
        group = next(
            (
                g
                for g in ("resin", "protein", "aldehyde", "osmium", "uranyl", "buffer")
                if g in parts
            ),
            "buffer",
        )
        group = (
            "uranyl" if "dehydrant" in parts and parts & {"uranyl", "osmium", "aldehyde"} else group
        )
        for use in re.finditer(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text[match.end() :]):
            start = match.end() + use.start()
            more.append(NamedMaterial(start, start + len(name), name, name, group, is_known=False))
    return more


def _without_conjugates(found: Sequence[NamedMaterial], text: str) -> list[NamedMaterial]:
    """Leave out the dye, gold or biotin that is bound to an antibody named beside it."""
    generic = ("Ab", "AB", "antibody", "primary antibody", "secondary antibody")
    named = [m for m in found if m.canonical.endswith("antibody")]
    antibodies = [m for m in named if m.canonical.startswith("anti-")]
    kept = []
    for m in found:
        bound = (m.is_ambiguous or m.group in ("dye", "immuno", "metal", "bead", "label")) and (
            any(
                a is not m
                and (
                    (a.end <= m.start and _CONJUGATED.fullmatch(text[a.end : m.start]))
                    or (m.end <= a.start and _CONJUGATE_BEFORE.fullmatch(text[m.end : a.start]))
                )
                for a in (antibodies if m in named else named)
            )
            or (m.canonical in generic and any(abs(a.start - m.end) < 60 for a in antibodies))
        )
        if not bound:
            kept.append(m)
    return kept


def group_of(canonical: str) -> str:
    """Return what a material of the lexicon does in a protocol."""
    if canonical in _GROUPS:
        return _GROUPS[canonical]
    grounding = ground(canonical)
    if grounding.kind == "fluorophore":
        return "dye"
    if grounding.kind == "antibody":
        return "immuno"
    return grounding.role or "additive"


def _named(mention: Mention) -> NamedMaterial:
    group = "immuno" if mention.canonical.endswith("antibody") else group_of(mention.canonical)
    return NamedMaterial(
        mention.start, mention.end, mention.verbatim, mention.canonical, group,
        is_ambiguous=mention.ambiguous,
        rule="carry-over" if mention.verbatim.lower() in _BARE else "lexicon",
    )  # fmt: skip


def _is_meant(mention: Mention, text: str) -> bool:
    """Whether a name is a material that is used: no coat of a grid, no expressed protein."""
    name, behind = mention.canonical, text[mention.end : mention.end + 40]
    if (
        mention.kind == "tag"
        or group_of(name) == "film"
        or name in _EXPRESSED
        or name.endswith(" tape")
        or _OVERNAMED.match(mention.verbatim)
    ):
        return False
    if name == "gold" and re.match(r"[-\s](?:sections?|colou?r\w*|interference)\b", behind):
        return False
    if name == "gold" and re.search(
        r"silver(?:[-–/\s]|\sto\s)\Z", text[max(0, mention.start - 10) : mention.start]
    ):
        return False  # the colour of a section
    if group_of(name) == "resin" and re.match(
        r"[-–\s](?:resin\s)?(?:sections?|blocks?|embedded)\b", behind
    ):
        return False
    if mention.verbatim.lower() in _NEVER_CARRIED:
        return False
    if name.lower() in _GENERIC or (mention.ambiguous and mention.verbatim.lower() in _GENERIC):
        return False
    if _ABSENT.search(text[max(0, mention.start - 30) : mention.start]):
        return False
    if _SUPPORT_BEHIND.match(behind) and group_of(name) not in (
        "resin",
        "aldehyde",
        "osmium",
        "uranyl",
        "lead",
    ):
        return False
    if mention.verbatim.lower() == "mounting medium" and re.match(r"\s(?:was|is)\s", behind):
        return False
    if re.match(r"[-–]coated\b", behind):
        return False
    if (
        _MADE_FROM.search(text[max(0, mention.start - 40) : mention.start])
        and "stock" in text[max(0, mention.start - 40) : mention.start]
    ):
        return False
    return not re.match(
        r"[-–](?:positive|negative|free|subbed|labell?ed\scells|saturated|resistant|stained|fixed|embedded|filled)\b",
        behind,
    )
