"""Clause to step class: what is done, with which materials, after what."""

from __future__ import annotations

import re

from clemkit.metadata.protocols.text.by_material import GRID, by_material, osmium_class
from clemkit.metadata.protocols.text.clauses import unknown_name
from clemkit.metadata.protocols.text.history import Evidence

__all__ = ["classify"]

_UV = re.compile(r"\bU\.?V\b|ultraviolet|3[0-9]{2}\s?nm|UV-?light|indirect\slight", re.I)
_HPF = re.compile(
    r"high[-\s]?pressure|\bHPF\b|\bHPM\s?-?\d*|EM\s?ICE|EM\s?PACT|EMPACT|Compact\s?0\d|Wohlwend|\b\d[\d,.]*\s?bar\b|"
    r"carriers?\b|planchettes?|1-hexadecene|hexadecene|Hochdruck",
    re.I,
)
_PLUNGE = re.compile(
    r"plung|vitrobot|\bEM\s?GP|ethane|propane|\bLN2\b|liquid\s(?:nitrogen|N2)|slush|blot|cryoplunge|Vitrif|flüssigstickstoff",
    re.I,
)
_SECTION_TOOL = re.compile(
    r"microtom|vibratom|vibrating|diamond|glass\sknife|knife|ultra-?thin|semi-?thin|\bthin\b|\bthick|sections?|slices?|ribbons?|"
    r"cryostat|\bnm\b|[µμ]m\b|diatome|tissue\s?chopper|compresstome",
    re.I,
)
_PIECES = re.compile(
    r"small\s(?:blocks|pieces|cubes)|pieces|cubes|fragments|mm3|mm\b|\bblocks\b|tail|strips|in\shalf|leaf|leaves|discs",
    re.I,
)
_ION = re.compile(
    r"lamella|\bFIB\b|focused\sion|ion\sbeam|\bGa\+?\b|gallium|\bnA\b|\bpA\b|plasma|Aquilos", re.I
)
_STUB = re.compile(
    r"stub|pins?\b|holder|aluminium|aluminum|rivet|chuck|blank|dummy|clip|ring\b|autogrid|cement|glue|epoxy",
    re.I,
)
_SOAKING = frozenset(("quencher", "protein", "immuno", "uranyl", "lead", "dye", "section-dye"))
_LASTING = {
    "aldehyde",
    "osmium",
    "uranyl",
    "lead",
    "mordant",
    "resin",
    "immuno",
    "dab",
    "quencher",
    "permanganate",
}
_THIN_SECTIONS = re.compile(
    r"thin\ssections?\b.*\b(?:microtom\w*|knife|prepared|obtained|generated|produced|made)\b|\b\d+(?:\s?[-–]\s?\d+)?[-\s]?nm[-\s](?:thick\s|thin\s|ultra-?thin\s)?sections?\b.*\b(?:microtom|knife|prepared|obtained|generated|produced|made)",
    re.I,
)


def classify(clause: Evidence) -> str | None:
    """Return the step class of a clause; None when it is no treatment."""
    direct = _DIRECT.get(clause.action)
    if direct is not None:
        return direct
    if clause.action in ("image", "prepare", "") and _THIN_SECTIONS.search(clause.words):
        return "Sectioning"
    if clause.action in ("image", "prepare"):
        return None
    if clause.action in _BY_ACTION:
        return _BY_ACTION[clause.action](clause)
    held = clause.groups
    if clause.action == "" and not held and unknown_name(clause.words):
        if re.search(r"fluor|rhodamin|\bcy\d|\bdye\b", clause.words, re.I):
            return "FluorescentLabelling"
        return "Rinsing" if clause.repeated else "Incubation" if clause.timed else None
    if clause.repeated and held and held <= {"buffer", "water", "protein", "detergent", "additive"}:
        return "Rinsing"
    return by_material(clause)


_DIRECT = {
    "anaesthetise": "Anaesthesia", "perfuse": "Perfusion",
    "culture": "CellCulture", "quench": "Quenching", "cpd": "CriticalPointDrying",
    "trim": "Trimming", "fiducial": "FiducialApplication", "store": "Storage",
    "permeabilise": "Incubation", "cryoprotect": "Incubation",
}  # fmt: skip


def _handle(clause: Evidence) -> str | None:
    if clause.groups & _LASTING:
        return by_material(clause.soaking())
    return "OtherStep"


def _dissect(clause: Evidence) -> str:
    if re.search(r"coverslip|\bglass\b|\bresin\b|\bgrids?\b|wafer|sapphire", clause.words, re.I):
        return "OtherStep"
    cells = re.search(r"centrifug|\bcells?\b|pellet|culture|scrap|trypsin", clause.words, re.I)
    return (
        "OtherStep"
        if re.match(r"\W*(?:\d+\W+)?(?:\w+\s){0,5}harvest", clause.words, re.I) and cells
        else "Dissection"
    )


def _substitute(clause: Evidence) -> str | None:
    low = clause.history.frozen or re.search(
        r"freeze|AFS|\bFS\b|gefrier|[-−–]\s?\d\d\s?°", clause.words, re.I
    )
    if low or not {"transition", "resin"} & clause.groups:
        return "FreezeSubstitution"
    return by_material(clause.soaking())


def _fix(clause: Evidence) -> str:
    if "osmium" in clause.groups and "aldehyde" not in clause.groups:
        return osmium_class(clause.history)
    if (
        clause.groups
        and "aldehyde" not in clause.groups
        and "mordant" in clause.groups
        and clause.history.osmium
    ):
        return "EnBlocStaining"
    if "aldehyde" not in clause.groups and re.search(r"osmi|OsO4", clause.words):
        return osmium_class(clause.history)
    return "ChemicalFixation"


def _postfix(clause: Evidence) -> str:
    if "osmium" in clause.groups:
        return "PostFixation" if not clause.history.osmium else "EnBlocStaining"
    if "aldehyde" in clause.groups or re.search(
        r"same\sfix|fixative|Fixativ|aldehyde", clause.words
    ):
        return "ChemicalFixation"
    if not (clause.groups or clause.history.osmium) and "same solution" in clause.words:
        return "ChemicalFixation"
    if clause.groups & {"uranyl", "mordant", "lead"}:
        return "EnBlocStaining"
    return "PostFixation"


def _wash(clause: Evidence) -> str:
    if "quencher" in clause.groups:
        return "Quenching"
    return "Rinsing"


def _dehydrate(clause: Evidence) -> str:
    return (
        "Infiltration"
        if "resin" in clause.groups and not {"dehydrant", "transition"} & clause.groups
        else "Dehydration"
    )


def _infiltrate(clause: Evidence) -> str:
    if (
        "resin" in clause.groups
        or not clause.groups
        or re.search(r"resin|epon|harz", clause.words, re.I)
    ):
        return "Infiltration"
    if clause.groups & {"sugar", "cryoprotectant", "filler"}:
        return "Incubation"
    if "gel" in clause.groups:
        return "OtherStep"
    if clause.groups <= {"dehydrant", "transition"}:
        return "Infiltration"
    return by_material(clause.soaking()) or "Infiltration"


def _embed(clause: Evidence) -> str:
    if {"gel", "protein"} & clause.groups and "resin" not in clause.groups:
        return "OtherStep"
    if clause.hottest is not None and clause.hottest >= 45:
        return "OvenCuring"
    if _UV.search(clause.words) and re.search(r"polymeri|cure|hard", clause.words):
        return "UvPolymerization"
    return "Infiltration"


def _polymerise(clause: Evidence) -> str:
    words = re.sub(r"\b(?:not|no|without|never)\s(?:\w+\s){0,2}UV\b", "", clause.words)
    if _UV.search(words):
        return "UvPolymerization"
    if clause.hottest is None or clause.hottest >= 45:
        return "OvenCuring"
    if not (clause.history.resin or "resin" in clause.groups):
        return "OtherStep"  # a gel
    cold = clause.hottest <= 4 and clause.history.substituted
    return "UvPolymerization" if cold else "OvenCuring"


def _stain(clause: Evidence) -> str | None:
    held = clause.groups
    if "immuno" in held:
        return "ImmunoLabelling"
    if "dye" in held:
        return "FluorescentLabelling"
    if held & {"osmium", "uranyl", "lead", "mordant", "section-dye", "reducer", "dab", "stain"}:
        return by_material(clause)
    if clause.history.sectioned or re.search(
        r"post-?stain|counter|sections|grids|kontrast", clause.words, re.I
    ):
        return "PostStaining"
    if re.search(r"en[-\s]bloc|block\sstain|heavy\smetal", clause.words, re.I):
        return "EnBlocStaining"
    return "Staining"


def _label(clause: Evidence) -> str:
    held = clause.groups
    if "immuno" in held or re.search(r"antibod|anti-|protein\sA|immuno", clause.words, re.I):
        return "ImmunoLabelling"
    if "dye" in held or re.search(r"halo|snap|fluor|dye|ligand|nuclei", clause.words, re.I):
        return "FluorescentLabelling"
    return "ImmunoLabelling"


def _block(clause: Evidence) -> str:
    held = clause.groups
    if ("quencher" in held and "protein" not in held) or re.search(r"aldehyde", clause.words):
        return "Quenching"
    return "Incubation"


def _freeze(clause: Evidence) -> str:
    if re.search(r"\b(?:coverslip|glass|dish)\b.*\bremov", clause.words, re.I):
        return "OtherStep"  # it cracks off the cured resin
    if re.search(r"plung|vitrobot|ethane|\bGP2?\b", clause.words, re.I):
        return "PlungeFreezing"
    if _HPF.search(clause.words):
        return "HighPressureFreezing"
    if _PLUNGE.search(clause.words):
        return "PlungeFreezing"
    return "HighPressureFreezing" if not clause.history.classes else "PlungeFreezing"


def _mount(clause: Evidence) -> str:
    on_grid = GRID.search(clause.words) and not _STUB.search(clause.words)
    if on_grid and clause.history.classes and clause.history.classes[-1] == "Sectioning":
        return "SectionCollection"
    return (
        "SectionCollection"
        if GRID.search(clause.words)
        and re.search(r"section|ribbon", clause.words)
        and not _STUB.search(clause.words)
        else "Mounting"
    )


def _section(clause: Evidence) -> str:
    if re.search(
        r"\bcut\s(?:the\s)?(?:kapton\s)?(?:tape|paper|foil|parafilm|filter|aclar|membrane)\b",
        clause.words,
        re.I,
    ):
        return "OtherStep"
    if re.search(r"jeweller|jeweler|saw\b|razor|out\s(?:of|with|from)\b", clause.words) and (
        clause.history.cured or clause.history.resin
    ):
        return "Trimming"
    if re.search(
        r"section|slice|ribbon|microtom|vibratom|kni(?:fe|ves)|ultracut|thin\b|\b\d+\s?nm\b",
        clause.words,
        re.I,
    ):
        return "Sectioning"
    if _PIECES.search(clause.words) or re.search(
        r"scalpel|razor|blade|\boff\b|\bout\b|punch", clause.words
    ):
        return "Trimming" if clause.history.cured else "Dissection"
    return "Sectioning" if _SECTION_TOOL.search(clause.words) else "Dissection"


def _collect(clause: Evidence) -> str | None:
    if re.search(r"filtration|centrifug|spinning", clause.words, re.I):
        return "OtherStep"  # cells, not sections
    if re.search(r"float", clause.words, re.I) and clause.groups & _SOAKING:
        return by_material(clause.soaking())
    if (
        "water" in clause.groups
        and not GRID.search(clause.words)
        and re.search(r"float", clause.words, re.I)
    ):
        return "Rinsing"
    if re.search(
        r"\bimages?|tomogram|micrograph|data\b|tilt|stacks?\b|\bkV\b|3View|spectr", clause.words
    ) and not GRID.search(clause.words):
        return None
    if (
        GRID.search(clause.words)
        or clause.history.sectioned
        or re.search(r"section|ribbon|water\sbath|boat", clause.words, re.I)
    ):
        return "SectionCollection"
    if re.search(r"supernatant|medium", clause.words):
        return "OtherStep"
    if clause.history.classes and clause.history.classes[-1] == "Sectioning":
        return "SectionCollection"
    return "HighPressureFreezing" if _HPF.search(clause.words) else "Dissection"


def _coat(clause: Evidence) -> str:
    if {"filler", "protein", "immuno"} & clause.groups or re.search(
        r"\blid\b|hexadecene|poly-?l|fibronectin|matrigel|collagen|laminin", clause.words, re.I
    ):
        return (
            "HighPressureFreezing"
            if re.search(r"lid|carrier|hat\b|planchet|hexadec", clause.words)
            else "Incubation"
        )
    return "Coating"


def _mill(clause: Evidence) -> str:
    return (
        "CryoFibMilling"
        if _ION.search(clause.words) or (clause.history.frozen and not clause.history.cured)
        else "Trimming"
    )


def _blot(clause: Evidence) -> str:
    grid = re.search(
        r"humid|\bRH\b|force|\d\s?s\b|whatman|vitrobot|EM\s?GP|teflon|grids?\b", clause.words, re.I
    )
    return "PlungeFreezing" if grid and not clause.history.sectioned else "OtherStep"


def _thaw(clause: Evidence) -> str:
    return "CriticalPointDrying" if re.search(r"critical|CPD", clause.words) else "OtherStep"


def _warm(clause: Evidence) -> str | None:
    last = clause.history.classes[-1] if clause.history.classes else ""
    if last in (
        "FreezeSubstitution",
        "UvPolymerization",
        "OvenCuring",
        "Infiltration",
        "EnBlocStaining",
        "Dehydration",
        "Rinsing",
    ):
        return last
    wet = {"buffer", "water"} & clause.groups or clause.history.sectioned
    if clause.history.frozen and not clause.history.cured and not wet:
        return "FreezeSubstitution"
    return by_material(clause.soaking())


_BY_ACTION = {
    "substitute": _substitute,
    "handle": _handle,
    "dissect": _dissect,
    "fix": _fix,
    "postfix": _postfix,
    "wash": _wash,
    "dehydrate": _dehydrate,
    "infiltrate": _infiltrate,
    "embed": _embed,
    "polymerise": _polymerise,
    "stain": _stain,
    "label": _label,
    "block": _block,
    "freeze": _freeze,
    "mount": _mount,
    "section": _section,
    "collect": _collect,
    "coat": _coat,
    "mill": _mill,
    "blot": _blot,
    "thaw": _thaw,
    "warm": _warm,
}
