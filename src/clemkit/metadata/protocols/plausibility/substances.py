"""What a material is to a chemist: the substances and families that rules speak of.

Names and terms are recognised here and not through the lexicon, since a rule must also work on
descriptions that nobody grounded. A name that is not recognised makes a rule silent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = [
    "ACRYLICS",
    "EPOXIES",
    "FIXATIVES",
    "LOWICRYLS",
    "RESINS",
    "SOLVENTS",
    "STAINS",
    "substances_of",
]

EPOXIES: Final = frozenset({"epon", "durcupan", "spurr", "araldite", "hard-plus", "taab", "epoxy"})
LOWICRYLS: Final = frozenset({"hm20", "hm23", "k4m", "k11m", "lowicryl"})
ACRYLICS: Final = LOWICRYLS | {"lr white", "lr gold", "methacrylate"}
RESINS: Final = EPOXIES | ACRYLICS
SOLVENTS: Final = frozenset({"ethanol", "methanol", "acetone", "propylene oxide", "acetonitrile"})
FIXATIVES: Final = frozenset({"glutaraldehyde", "formaldehyde", "acrolein"})
STAINS: Final = frozenset(
    {"osmium", "thiocarbohydrazide", "uranyl", "lead", "tannic acid", "ferrocyanide"}
)

_WORDS: Final[Mapping[str, str]] = {
    "osmium": r"osmium|\boso\s?[4₄]|\breduced os\b",
    "ferrocyanide": r"ferr[oi]cyanide|fe\(cn\)|\bkfecn\b",
    "thiocarbohydrazide": r"thiocarbohydrazide|\btch\b",
    "uranyl": r"uranyl(?!ess)|\bua\b",
    "lead": r"\blead\b|\bpb[ -](?:citrate|aspartate)|walton|reynolds",
    "lead aspartate": r"(?:lead|pb)[ -]aspartate|walton",
    "lead citrate": r"(?:lead|pb)[ -]citrate|reynolds",
    "tannic acid": r"tannic",
    "glutaraldehyde": r"glutar(?:ic )?(?:di)?aldehyde|karnovsky|^ga$",
    "formaldehyde": r"formaldehyde|karnovsky|formalin|^p?fa$",
    "acrolein": r"acrolein",
    "diaminobenzidine": r"diaminobenzidine|\bdab\b",
    "peroxide": r"hydrogen peroxide|\bh[2₂]o[2₂]\b",
    "phosphate": r"phosphate|(?-i:\bD?PBS?\b|\bPBS-?T\b)|s[oø]rensen|millonig",
    "cacodylate": r"cacodylate|dimethylarsin",
    "water": r"\bwater\b|\b(?:d*h[2₂]o|aqua)\b",
    "quencher": r"glycine|ammonium chloride|\bnh[4₄]cl\b|borohydride|lysine|ethanolamine",
    "protein": r"serum|albumin|\bbsa\b|\bmilk\b|casein",
    "label": r"antibod|\banti-|protein a|nanogold|immunogold|nanobod|\bigg\b",
    "ethanol": r"ethanol|\betoh\b|ethyl alcohol",
    "methanol": r"(?<!e)\bmethanol|\bmeoh\b",
    "acetone": r"acetone?\b(?!itrile)",
    "propylene oxide": r"propylene oxide|propylenoxide|epoxypropane",
    "acetonitrile": r"acetonitrile",
    "epon": r"\bepon\b|embed[ -]?812|poly/?bed|lx[ -]?112|agar 100|glycid ether",
    "durcupan": r"durcupan",
    "spurr": r"spurr",
    "araldite": r"araldite",
    "hard-plus": r"hard[ -]?plus",
    "taab": r"\btaab\b",
    "epoxy": r"\bepoxy resin|quetol",
    "hm20": r"hm[ -]?20",
    "hm23": r"hm[ -]?23",
    "k4m": r"\bk4m|\b4km",
    "k11m": r"\bk11m",
    "lowicryl": r"lowicryl(?! (?:hm|k|4k))",
    "lr white": r"lr[ -]?white",
    "lr gold": r"lr[ -]?gold",
    "methacrylate": r"methacrylate|unicryl",
}
_PATTERNS: Final = {name: re.compile(words, re.IGNORECASE) for name, words in _WORDS.items()}
_TERMS: Final[Mapping[str, str]] = {
    "CHEBI:88215": "osmium", "CHEBI:30059": "ferrocyanide", "CHEBI:30060": "ferrocyanide",
    "CHEBI:9549": "thiocarbohydrazide", "mesh:C005460": "uranyl", "CHEBI:43515": "uranyl",
    "CHEBI:37187": "lead", "CHEBI:75211": "tannic acid", "CHEBI:64276": "glutaraldehyde",
    "CHEBI:16842": "formaldehyde", "CHEBI:31962": "formaldehyde", "CHEBI:15368": "acrolein",
    "CHEBI:90994": "diaminobenzidine", "CHEBI:16240": "peroxide", "CHEBI:62956": "cacodylate",
    "CHEBI:15377": "water", "CHEBI:15428": "quencher", "CHEBI:16236": "ethanol",
    "CHEBI:15347": "acetone", "CHEBI:38685": "propylene oxide", "mesh:C004875": "epon",
    "mesh:C025599": "durcupan", "mesh:C048709": "spurr", "mesh:C005752": "araldite",
    "mesh:C070811": "hm20", "mesh:C050065": "hm23", "mesh:C037883": "k4m", "mesh:C050066": "k11m",
    "mesh:C048707": "lr white",
}  # fmt: skip


def substances_of(material: Mapping[str, Any], *further: Any) -> frozenset[str]:
    """Return the substances that a material's names and term say it is.

    Parameters
    ----------
    material : mapping
        A Reagent, Solution or Antibody in long form; may be empty.
    *further : str or None
        Other names, such as the words of the source.
    """
    names = [n for n in (material.get("name"), *further) if isinstance(n, str)]
    names += [n for n in _listed(material.get("synonyms")) if isinstance(n, str)]
    found = {key for name in names for key, words in _PATTERNS.items() if words.search(name)}
    term = material.get("substance_term")
    term = term.get("term") if isinstance(term, Mapping) else term
    if isinstance(term, str) and term in _TERMS:
        found.add(_TERMS[term])
    if material.get("type") == "Antibody":
        found.add("label")
    return frozenset(found)


def _listed(value: Any) -> Iterator[Any]:
    yield from value if isinstance(value, list | tuple) else ()
