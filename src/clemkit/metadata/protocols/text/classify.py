"""Clause to step class: what is done, with which materials, after what."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from clemkit.metadata.protocols.text.clauses import unknown_name

__all__ = ["History", "classify"]


@dataclass(slots=True)
class History:
    """What was done before: it decides what *stained* or *osmium* means."""

    osmium: bool = False
    frozen: bool = False
    substituted: bool = False
    resin: bool = False
    cured: bool = False
    sectioned: bool = False
    classes: list[str] = field(default_factory=list)

    def add(self, name: str, groups: Collection[str], thin: bool) -> None:
        """Take note of a step."""
        fresh = name in ("CellCulture", "Anaesthesia", "Perfusion") or (
            name == "ChemicalFixation" and self._last() not in _BESIDE_SECTIONS
        )
        if fresh and (self.sectioned or self.cured):
            self.osmium = self.frozen = self.substituted = False
            self.resin = self.cured = self.sectioned = False
        if name in _WET and {"water", "buffer"} & set(groups) and not self.substituted:
            self.frozen = False  # thawed
        if name in ("ChemicalFixation", "Perfusion") and "osmium" not in groups:
            self.osmium = False
        self.classes.append(name)
        self.osmium |= "osmium" in groups and name in (
            "PostFixation",
            "FreezeSubstitution",
            "ChemicalFixation",
        )
        self.frozen |= name in ("HighPressureFreezing", "PlungeFreezing")
        self.substituted |= name == "FreezeSubstitution"
        self.resin |= name == "Infiltration"
        self.cured |= name in ("OvenCuring", "UvPolymerization")
        if name in ("SectionCollection", "PostStaining") or (
            name == "Sectioning" and (thin or self.cured)
        ):
            self.sectioned = True

    def _last(self) -> str:
        treated = [
            c for c in self.classes[:-1] if c not in ("Rinsing", "OtherStep", "UnparsedStep")
        ]
        return treated[-1] if treated else ""


_WET = frozenset(("Rinsing", "Incubation", "ImmunoLabelling", "Quenching", "DabReaction"))
_BESIDE_SECTIONS = frozenset(
    ("ImmunoLabelling", "FluorescentLabelling", "Incubation", "Quenching", "SectionCollection")
)
_ON_SECTIONS = re.compile(r"\b(?:sections?|grids?|ribbons?|wafers?|Schnitte?)\b", re.I)
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
_GRID = re.compile(
    r"\bgrids?\b|wafers?|coverslips?|cover\sslips?|\btape\b|slides?\b|kapton|membrane|\bloops?\b|\b\w*netze?n?\b|chips?\b",
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
_THIN_SECTIONS = re.compile(
    r"thin\ssections?\b.*\b(?:microtom\w*|knife|prepared|obtained|generated|produced|made)\b|\b\d+(?:\s?[-–]\s?\d+)?[-\s]?nm[-\s](?:thick\s|thin\s|ultra-?thin\s)?sections?\b.*\b(?:microtom|knife|prepared|obtained|generated|produced|made)",
    re.I,
)
_ANTIBODY_WORDS = re.compile(
    r"\b(?:1st|2nd|first|second|primary|secondary)\s(?:Ab|AB|antibod)|\b(?:GAM|GAR|PAG)\b|"
    r"silver[-\s]enhanc|gold[-\s]enhanc",
    re.I,
)
_CARRIER = re.compile(r"planchettes?|\bcarriers?\b|type\s[AB]\b|hexadecene", re.I)
_ION = re.compile(
    r"lamella|\bFIB\b|focused\sion|ion\sbeam|\bGa\+?\b|gallium|\bnA\b|\bpA\b|plasma|Aquilos", re.I
)
_STUB = re.compile(
    r"stub|pins?\b|holder|aluminium|aluminum|rivet|chuck|blank|dummy|clip|ring\b|autogrid|cement|glue|epoxy",
    re.I,
)
_DARK_LIGHT = re.compile(
    r"photo|irradiat|illuminat|light|peroxid|H2O2|reaction|developed|precipitat|colou?r", re.I
)
_SHORT_TIME = re.compile(r"\b(?:over\s?night|\d+\s?(?:h|hr|hours?|d|days?)\b)", re.I)
_DAMP_HEAT = re.compile(r"\b(?:oven|incubator|ofen|cured?|polymeri[sz])", re.I)
_AT_LOW = re.compile(r"[-−–]\s?\d{2}\s?°|AFS|frozen|freeze|cryo", re.I)


def classify(
    action: str,
    groups: Collection[str],
    words: str,
    history: History,
    *,
    hottest: float | None,
    has_time: bool,
    repeated: bool = False,
    diluted: bool = False,
) -> str | None:
    """Return the step class of a clause; None when it is no treatment.

    Parameters
    ----------
    action : str
        What is done; empty when no word says it.
    groups : collection of str
        What the named materials are.
    words : str
        The clause.
    history : History
        What was done before.
    hottest : float or None
        Highest temperature, °C.
    has_time : bool
        Whether there is a time or a number of repeats.
    repeated : bool
        Whether there is a number of repeats.
    diluted : bool
        Whether there is a dilution such as 1:200.
    """
    direct = _DIRECT.get(action)
    if direct is not None:
        return direct
    if action in ("image", "prepare", "") and _THIN_SECTIONS.search(words):
        return "Sectioning"
    if action in ("image", "prepare"):
        return None
    if action in _SPECIAL:
        return _SPECIAL[action](groups, words, history, hottest)
    held = set(groups)
    if action == "" and not held and unknown_name(words):
        if re.search(r"fluor|rhodamin|\bcy\d|\bdye\b", words, re.I):
            return "FluorescentLabelling"
        return "Rinsing" if repeated else "Incubation" if has_time else None
    if repeated and held and held <= {"buffer", "water", "protein", "detergent", "additive"}:
        return "Rinsing"
    return _by_material(action, groups, words, history, hottest, has_time, diluted)


_DIRECT = {
    "anaesthetise": "Anaesthesia", "perfuse": "Perfusion", 
    "culture": "CellCulture", "quench": "Quenching", "cpd": "CriticalPointDrying",
    "trim": "Trimming", "fiducial": "FiducialApplication", "store": "Storage",
    "permeabilise": "Incubation", "cryoprotect": "Incubation",
}  # fmt: skip


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


def _handle(
    groups: Collection[str], words: str, history: History, hottest: float | None
) -> str | None:
    if set(groups) & _LASTING:
        return _by_material("incubate", groups, words, history, hottest, True)
    return "OtherStep"


def _dissect(groups: Collection[str], words: str, history: History, hottest: float | None) -> str:
    cells = re.search(r"centrifug|\bcells?\b|pellet|culture|scrap|trypsin", words, re.I)
    return (
        "OtherStep"
        if re.match(r"\W*(?:\d+\W+)?(?:\w+\s){0,5}harvest", words, re.I) and cells
        else "Dissection"
    )


def _substitute(
    groups: Collection[str], words: str, history: History, hottest: float | None
) -> str | None:
    low = history.frozen or re.search(r"freeze|AFS|\bFS\b|gefrier|[-−–]\s?\d\d\s?°", words, re.I)
    if low or not {"transition", "resin"} & set(groups):
        return "FreezeSubstitution"
    return _by_material("incubate", groups, words, history, hottest, True)


def _fix(groups: Collection[str], words: str, history: History, hottest: float | None) -> str:
    if "osmium" in groups and "aldehyde" not in groups:
        return _osmium(history)
    if groups and "aldehyde" not in groups and "mordant" in groups and history.osmium:
        return "EnBlocStaining"
    if "aldehyde" not in groups and re.search(r"osmi|OsO4", words):
        return _osmium(history)
    return "ChemicalFixation"


def _postfix(groups: Collection[str], words: str, history: History, hottest: float | None) -> str:
    if "osmium" in groups:
        return "PostFixation" if not history.osmium else "EnBlocStaining"
    if "aldehyde" in groups or re.search(r"same\sfix|fixative|Fixativ|aldehyde", words):
        return "ChemicalFixation"
    if groups & {"uranyl", "mordant", "lead"} if isinstance(groups, set) else False:
        return "EnBlocStaining"
    return "PostFixation"


def _osmium(history: History) -> str:
    return "EnBlocStaining" if history.osmium else "PostFixation"


def _wash(groups: Collection[str], words: str, history: History, hottest: float | None) -> str:
    if "quencher" in groups:
        return "Quenching"
    return "Rinsing"


def _dehydrate(groups: Collection[str], words: str, history: History, hottest: float | None) -> str:
    return (
        "Infiltration"
        if "resin" in groups and not {"dehydrant", "transition"} & set(groups)
        else "Dehydration"
    )


def _infiltrate(
    groups: Collection[str], words: str, history: History, hottest: float | None
) -> str:
    if "resin" in groups or not groups or re.search(r"resin|epon|harz", words, re.I):
        return "Infiltration"
    if groups & {"sugar", "cryoprotectant", "filler"} if isinstance(groups, set) else False:
        return "Incubation"
    if "gel" in groups:
        return "OtherStep"
    if set(groups) <= {"dehydrant", "transition"}:
        return "Infiltration"
    return _by_material("incubate", groups, words, history, hottest, True) or "Infiltration"


def _embed(groups: Collection[str], words: str, history: History, hottest: float | None) -> str:
    if {"gel", "protein"} & set(groups) and "resin" not in groups:
        return "OtherStep"
    if hottest is not None and hottest >= 45:
        return "OvenCuring"
    if _UV.search(words) and re.search(r"polymeri|cure|hard", words):
        return "UvPolymerization"
    return "Infiltration"


def _polymerise(
    groups: Collection[str], words: str, history: History, hottest: float | None
) -> str:
    if not (history.resin or "resin" in groups) and hottest is not None and hottest < 45:
        return "OtherStep"  # a gel
    cold = hottest is not None and hottest <= 4
    return "UvPolymerization" if _UV.search(words) or cold and history.substituted else "OvenCuring"


def _stain(
    groups: Collection[str], words: str, history: History, hottest: float | None
) -> str | None:
    held = set(groups)
    if "immuno" in held:
        return "ImmunoLabelling"
    if "dye" in held:
        return "FluorescentLabelling"
    if held & {"osmium", "uranyl", "lead", "mordant", "section-dye", "reducer", "dab", "stain"}:
        return _by_material("stain", groups, words, history, hottest, True)
    if history.sectioned or re.search(r"post-?stain|counter|sections|grids|kontrast", words, re.I):
        return "PostStaining"
    if re.search(r"en[-\s]bloc|block\sstain|heavy\smetal", words, re.I):
        return "EnBlocStaining"
    return "Staining"


def _label(groups: Collection[str], words: str, history: History, hottest: float | None) -> str:
    held = set(groups)
    if "immuno" in held or re.search(r"antibod|anti-|protein\sA|immuno", words, re.I):
        return "ImmunoLabelling"
    if "dye" in held or re.search(r"halo|snap|fluor|dye|ligand|nuclei", words, re.I):
        return "FluorescentLabelling"
    return "ImmunoLabelling"


def _block(groups: Collection[str], words: str, history: History, hottest: float | None) -> str:
    held = set(groups)
    if "quencher" in held and "protein" not in held or re.search(r"aldehyde", words):
        return "Quenching"
    return "Incubation"


def _freeze(groups: Collection[str], words: str, history: History, hottest: float | None) -> str:
    if re.search(r"plung|vitrobot|ethane|\bGP2?\b", words, re.I):
        return "PlungeFreezing"
    if _HPF.search(words):
        return "HighPressureFreezing"
    if _PLUNGE.search(words):
        return "PlungeFreezing"
    return "HighPressureFreezing" if not history.classes else "PlungeFreezing"


def _mount(groups: Collection[str], words: str, history: History, hottest: float | None) -> str:
    on_grid = _GRID.search(words) and not _STUB.search(words)
    if on_grid and history.classes and history.classes[-1] == "Sectioning":
        return "SectionCollection"
    return (
        "SectionCollection"
        if _GRID.search(words) and re.search(r"section|ribbon", words) and not _STUB.search(words)
        else "Mounting"
    )


def _section(groups: Collection[str], words: str, history: History, hottest: float | None) -> str:
    if re.search(
        r"\bcut\s(?:the\s)?(?:kapton\s)?(?:tape|paper|foil|parafilm|filter|aclar|membrane)\b",
        words,
        re.I,
    ):
        return "OtherStep"
    if re.search(r"jeweller|jeweler|saw\b|razor|out\s(?:of|with|from)\b", words) and (
        history.cured or history.resin
    ):
        return "Trimming"
    if re.search(
        r"section|slice|ribbon|microtom|vibratom|kni(?:fe|ves)|ultracut|thin\b|\b\d+\s?nm\b",
        words,
        re.I,
    ):
        return "Sectioning"
    if _PIECES.search(words) or re.search(r"scalpel|razor|blade|\boff\b|\bout\b|punch", words):
        return "Trimming" if history.cured else "Dissection"
    return "Sectioning" if _SECTION_TOOL.search(words) else "Dissection"


def _collect(
    groups: Collection[str], words: str, history: History, hottest: float | None
) -> str | None:
    if "water" in groups and not _GRID.search(words) and re.search(r"float", words, re.I):
        return "Rinsing"
    if re.search(
        r"\bimages?|tomogram|micrograph|data\b|tilt|stacks?\b|\bkV\b|3View|spectr", words
    ) and not _GRID.search(words):
        return None
    if (
        _GRID.search(words)
        or history.sectioned
        or re.search(r"section|ribbon|water\sbath|boat", words, re.I)
    ):
        return "SectionCollection"
    if re.search(r"supernatant|medium", words):
        return "OtherStep"
    if history.classes and history.classes[-1] == "Sectioning":
        return "SectionCollection"
    return "HighPressureFreezing" if _HPF.search(words) else "Dissection"


def _coat(groups: Collection[str], words: str, history: History, hottest: float | None) -> str:
    if {"filler", "protein", "immuno"} & set(groups) or re.search(
        r"\blid\b|hexadecene|poly-?l|fibronectin|matrigel|collagen|laminin", words, re.I
    ):
        return (
            "HighPressureFreezing"
            if re.search(r"lid|carrier|hat\b|planchet|hexadec", words)
            else "Incubation"
        )
    return "Coating"


def _mill(groups: Collection[str], words: str, history: History, hottest: float | None) -> str:
    return (
        "CryoFibMilling"
        if _ION.search(words) or history.frozen and not history.cured
        else "Trimming"
    )


def _thaw(groups: Collection[str], words: str, history: History, hottest: float | None) -> str:
    return "CriticalPointDrying" if re.search(r"critical|CPD", words) else "OtherStep"


def _warm(
    groups: Collection[str], words: str, history: History, hottest: float | None
) -> str | None:
    last = history.classes[-1] if history.classes else ""
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
    wet = {"buffer", "water"} & set(groups) or history.sectioned
    if history.frozen and not history.cured and not wet:
        return "FreezeSubstitution"
    return _by_material("incubate", groups, words, history, hottest, True)


_SPECIAL = {
    "substitute": _substitute, "handle": _handle, "dissect": _dissect, "fix": _fix, "postfix": _postfix, "wash": _wash, "dehydrate": _dehydrate,
    "infiltrate": _infiltrate, "embed": _embed, "polymerise": _polymerise, "stain": _stain,
    "label": _label, "block": _block, "freeze": _freeze, "mount": _mount, "section": _section,
    "collect": _collect, "coat": _coat, "mill": _mill, "thaw": _thaw, "warm": _warm,
}  # fmt: skip


def _by_material(
    action: str, groups: Collection[str], words: str, history: History, hottest: float | None,
    has_time: bool, diluted: bool = False,
) -> str | None:  # fmt: skip
    held = set(groups)
    sections = history.sectioned
    last = history.classes[-1] if history.classes else ""
    if history.frozen and not history.resin and not sections and not history.substituted:
        if "dehydrant" in held and held & {"osmium", "uranyl", "aldehyde", "mordant"}:
            return "FreezeSubstitution"
    if action == "hold" and not held & {"resin", "uranyl", "osmium", "aldehyde", "lead", "mordant"}:
        if re.search(r"desicc|exsik|silica\sgel|fridge|refrigerat|freezer", words, re.I):
            return "Storage"
        if (
            "cryogen" in held
            or history.cured
            and (not held)
            and re.search(r"°|dark|dry|until|desicc", words)
        ):
            return "Storage"
    if (
        re.search(
            r"\b(?:in|with|by|to|for)\s(?:the\s|this\s)?(?:same\s|fresh\s|new\s)?(?:aldehyde\s|single[-\s]strength\s)?fixative",
            words,
        )
        and not history.osmium
    ):
        return "ChemicalFixation"
    if re.match(r"\W*(?:the\s)?(?:\w+\s)?microwav", words, re.I) and not held:
        treated = [
            c
            for c in history.classes
            if c not in ("Dissection", "Trimming", "Rinsing", "OtherStep", "Anaesthesia")
        ]
        if treated:
            return treated[-1]
    if (
        re.search(r"\bfiducials?\b|\w*beads\b|microspheres", words, re.I)
        and action in ("apply", "incubate", "fiducial")
        and not held & {"resin", "osmium"}
    ):
        return "FiducialApplication"
    if re.search(r"hydrogel|acrylamide", words, re.I):
        return "OtherStep"
    if action == "apply" and _CARRIER.search(words) and not history.frozen and not history.resin:
        return "HighPressureFreezing"
    if action == "apply" and "grid" in words and re.search(r"\bgold\b", words) and not sections:
        return "FiducialApplication"
    if (
        diluted
        and action in ("", "incubate", "label")
        and held <= {"buffer", "protein", "detergent", "unknown"}
    ):
        if sections or {"ImmunoLabelling", "Incubation"} & set(history.classes):
            return "ImmunoLabelling"
    if _ANTIBODY_WORDS.search(words) and not held & {"osmium", "resin", "uranyl"}:
        return "ImmunoLabelling"
    lit = re.search(r"illuminat|irradiat|photo-?\s?(?:oxid|conver)|exposed\sto\slight", words, re.I)
    if lit and "resin" not in held and not history.resin:
        return "DabReaction"
    if "permanganate" in held:
        if history.frozen and not history.resin:
            return "FreezeSubstitution"
        return "PostFixation" if "ChemicalFixation" in history.classes else "ChemicalFixation"
    if "immuno" in held and not held & {"osmium"}:
        return "ImmunoLabelling"
    if "dab" in held:
        return "DabReaction" if "peroxide" in held or _DARK_LIGHT.search(words) else "Incubation"
    if "bead" in held:
        return "FiducialApplication"
    if "quencher" in held and not held & {"aldehyde", "osmium", "uranyl", "resin"}:
        return "Quenching"
    negative = re.search(r"negativ", words, re.I) or (
        re.search(r"\bgrids?\b", words) and not (history.cured or sections or "section" in words)
    )
    if action == "stain" and negative and held & {"uranyl", "lead", "section-dye"}:
        return "Staining"
    if held & {"uranyl", "lead"} and "aldehyde" not in held:
        if (
            history.frozen
            and not history.resin
            and not history.osmium
            and "dehydrant" in held
            and not history.substituted
            and _AT_LOW.search(words)
        ):
            return "FreezeSubstitution"
        return "PostStaining" if sections or _ON_SECTIONS.search(words) else "EnBlocStaining"
    if "aldehyde" in held:
        return "ChemicalFixation"
    if "osmium" in held:
        if sections:
            return "PostStaining"
        return _osmium(history)
    if "mordant" in held:
        return "PostStaining" if sections else "EnBlocStaining"
    if "section-dye" in held:
        return "PostStaining" if sections or history.cured else "EnBlocStaining"
    if held & {"reducer"} and held <= {"reducer", "buffer", "water", "additive"}:
        return "Incubation"
    if "reducer" in held or "stain" in held:
        return "PostStaining" if sections else "EnBlocStaining"
    if "dye" in held:
        return "FluorescentLabelling"
    if "resin" in held:
        if hottest is not None and hottest >= 45:
            return "OvenCuring"
        return "Infiltration"
    if "drying" in held:
        return "OtherStep"
    if last == "CellCulture" and action == "" and held <= {"medium", "protein", "additive"}:
        return "CellCulture"
    if "anaesthetic" in held:
        return "Anaesthesia"
    if "cryogen" in held:
        return "OtherStep" if history.frozen or history.cured else "PlungeFreezing"
    if "transition" in held:
        return "Dehydration"
    if "dehydrant" in held:
        if history.substituted and not history.sectioned or sections:
            return "Rinsing"
        return "Dehydration"
    if held & {"sugar", "cryoprotectant", "detergent", "protein", "filler"}:
        return "Incubation"
    if (
        held
        and held <= {"buffer", "water", "additive", "solvent", "medium"}
        and (has_time or action == "")
    ):
        if held & {"buffer", "water"}:
            return "Rinsing"
    if "adhesive" in held:
        return "Mounting"
    if "metal" in held:
        particles = re.search(r"nm[-\s](?:colloidal\s)?gold", words)
        if has_time and particles and not re.search(r"coat|sputter|layer", words):
            return "ImmunoLabelling"
        return "Coating" if re.search(r"\bnm\b|thick|layer|coat|sputter", words) else "OtherStep"
    if action == "apply" and re.search(
        r"\b(?:cement|glue|adhesive|epoxy|silver\spaint|paste)\b", words, re.I
    ):
        return "Mounting"
    if _GRID.search(words) and (
        (last in ("Sectioning", "SectionCollection") and action in ("", "apply") and not held)
        or (action == "apply" and re.search(r"sections?|ribbons?", words))
    ):
        return "SectionCollection"
    if hottest is not None and hottest >= 50 and has_time and history.resin and not sections:
        return "OvenCuring"
    if held and has_time and action in ("", "incubate", "apply", "hold"):
        return "Incubation"
    return "OtherStep" if action in ("incubate", "apply", "hold", "remove") else None
