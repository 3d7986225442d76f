"""What the words around a number say: the size of a vial is no volume, an age no duration."""

from __future__ import annotations

import re

__all__ = ["kind_here"]

_CONTAINER = re.compile(
    r"[-\s]*(?:(?:micro|glass|plastic|polypropylene|round|petri|cell|culture|snap|screw|centrifuge|reaction|"
    r"Eppendorf|Falcon|tissue|sapphire|cryo|poly\w+|glass-bottom|flat|amber|diameter|wide|thick|square|bottom)[-\s]*){0,3}"
    r"(?:tubes?|vials?|eppis?|eppendorfs?|dish(?:es)?|flasks?|syringes?|beakers?|bottles?|wells?\b|plates?|"
    r"(?:round\s)?coverslips?|cover\sglass\w*|filters?|pipettes?|tips?\b|cuvettes?|falcons?|Petri|gefäß\w*|MatTek|"
    r"ibidi|glass\sslides?|pores?|mesh|biops\w+\spunch\w*|punch(?:es)?)\b",
    re.I,
)
_PARTICLE = re.compile(
    r"[-\s]*(?:(?:colloidal|diameter|in\sdiameter|protein|IgG|fiducial|carboxylated|fluorescent|latex|silica|polystyrene|TetraSpeck|streptavidin|nano|BSA|Au)[-–\s]*(?:A[-–\s]*|G[-–\s]*)?){0,3}"
    r"(?:gold\b(?!\s(?:coat|layer|film)|[-–/]\s?pall)|particles?|\w*beads?|microspheres?|nanoparticles?|spheres?|diamonds?|-?filter\w*|conjugat\w*|-?sized|pores?|crystals?)",
    re.I,
)
_PARTICLE_BEFORE = re.compile(
    r"(?:protein\sA[-–\s]gold|gold\sparticles|particle\ssize|beads?|colloidal\sgold|nanogold)\s?[(,]?\s?\Z",
    re.I,
)
_SPUN = re.compile(r"centrifug|\bsp[iu]n|pellet|harvest", re.I)
_COATED = re.compile(r"coat|sputter|layer|evaporat|bedampf|besputter|film", re.I)
_AGE = re.compile(
    r"[-\s](?:old|of\sage|post[-\s]?(?:fert|nat|hatch|germin|inject|transf|infect)\w*|after\s(?:birth|germination|infection|transfection|injection)|dpf|hpf|hpi|in\svitro|light|(?:of|after|post)[-\s](?:excision|death|dissection|removal|collection|sampling|biopsy|mortem|resection|harvest\w*))\b",
    re.I,
)
_QUALIFIED = re.compile(r"\s[A-Za-z][\w\s-]{2,40}?\s\((?:[^()\d]*[,;]\s*)?(w/v|v/v|w/w)\)", re.I)
_HUMID = re.compile(r"\s*(?:relative\s|rel\.\s)?(?:humidity|r\.?h\.?\b|RH\b|luftfeuchte)", re.I)
_HUMID_BEFORE = re.compile(
    r"(?:humidity|RH)\s?(?:of|was|at|set\sto|:|=)?\s*(?:set\s(?:to|at)\s)?\Z", re.I
)


def kind_here(
    text: str, start: int, end: int, unit: tuple[str, str], value: float
) -> tuple[str, str]:
    """Return unit and kind of the quantity at ``text[start:end]``, as the words around it tell."""
    name, kind = unit
    before, behind = text[max(0, start - 22) : start], text[end : end + 40]
    if name == "g" and value >= 50 and _SPUN.search(text[max(0, start - 70) : end + 40]):
        name, kind = "times_g", "acceleration"
    if kind == "duration" and _AGE.match(behind):
        kind = "other"
    if (
        kind in ("volume", "length")
        and not _COATED.search(_sentence_tail(text, start) + behind[:24])
        and (_CONTAINER.match(behind) or _PARTICLE.match(behind) or _PARTICLE_BEFORE.search(before))
    ):
        kind = "other"
    if kind == "concentration" and re.match(
        r"\s?(?:confluen|viab|CO2\b|(?:laser\s)?power|of\s(?:the\s)?(?:cells|samples|animals))",
        behind,
    ):
        kind = "other"
    if name == "percent" and (found := _QUALIFIED.match(text, end)):
        name = {"w/v": "percent_wv", "v/v": "percent_vv", "w/w": "percent_ww"}[found[1].lower()]
    if kind == "concentration" and (_HUMID.match(behind) or _HUMID_BEFORE.search(before)):
        kind = "humidity"
    return name, kind


def _sentence_tail(text: str, end: int) -> str:
    """Return up to fifty characters before *end* that are of the same sentence."""
    return re.split(r"[.;\n]", text[max(0, end - 50) : end])[-1]
