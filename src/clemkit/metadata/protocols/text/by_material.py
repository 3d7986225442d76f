"""Step classes by what is used, where no word says what is done."""

from __future__ import annotations

import re

from clemkit.metadata.protocols.text.history import Evidence, History

__all__ = ["GRID", "by_material", "osmium_class"]

_ON_SECTIONS = re.compile(r"\b(?:sections?|grids?|ribbons?|wafers?|Schnitte?)\b", re.I)
GRID = re.compile(
    r"\bgrids?\b|wafers?|coverslips?|cover\sslips?|\btape\b|slides?\b|kapton|membrane|\bloops?\b|\b\w*netze?n?\b|chips?\b",
    re.I,
)
_ANTIBODY_WORDS = re.compile(
    r"\b(?:1st|2nd|first|second|primary|secondary)\s(?:Ab|AB|antibod)|\b(?:GAM|GAR|PAG)\b|"
    r"silver[-\s]enhanc|gold[-\s]enhanc",
    re.I,
)
# what the frozen samples lie in
_COCKTAIL = re.compile(
    r"\W*(?:the\s)?(?:\w+\s){0,2}(?:cocktail|medium|mix(?:ture)?|solution)\s(?:\w+\s)?(?:contain|consist|was|compris)",
    re.I,
)
_THIN = re.compile(r"\b(?:semi|ultra)-?\s?thin|\bthin\ssections|dünnschnitt", re.I)
# lead citrate stains sections; what is stained in the block is stained with lead aspartate
_SECTION_STAIN = re.compile(
    r"lead[-\s]?citrate|Reynold|\bPb[-\s]?citrate|Bleicitrat|toluidin", re.I
)
_CARRIER = re.compile(r"planchettes?|\bcarriers?\b|type\s[AB]\b|hexadecene", re.I)
_DARK_LIGHT = re.compile(
    r"photo|irradiat|illuminat|light|peroxid|H2O2|reaction|developed|precipitat|colou?r", re.I
)
_AT_LOW = re.compile(r"[-−–]\s?\d{2}\s?°|AFS|frozen|freeze|cryo", re.I)


def by_material(clause: Evidence) -> str | None:
    """Return the step class that the materials of a clause tell; None when they tell nothing."""
    held = clause.groups
    sections = clause.history.sectioned or bool(_THIN.search(clause.words))
    last = clause.history.classes[-1] if clause.history.classes else ""
    if (
        (
            clause.history.frozen
            and not clause.history.resin
            and not sections
            and not clause.history.substituted
        )
        and "dehydrant" in held
        and held & {"osmium", "uranyl", "aldehyde", "mordant"}
    ):
        return "FreezeSubstitution"
    if clause.action == "hold" and not held & {
        "resin",
        "uranyl",
        "osmium",
        "aldehyde",
        "lead",
        "mordant",
    }:
        if re.search(r"desicc|exsik|silica\sgel|fridge|refrigerat|freezer", clause.words, re.I):
            return "Storage"
        if "cryogen" in held or (
            clause.history.cured
            and (not held)
            and re.search(r"°|dark|dry|until|desicc", clause.words)
        ):
            return "Storage"
    if (
        re.search(
            r"\b(?:in|with|by|to|for)\s(?:the\s|this\s)?(?:same\s|fresh\s|new\s)?(?:aldehyde\s|single[-\s]strength\s)?fixative|im\s(?:selben\s|gleichen\s)?Fixativ",
            clause.words,
        )
        and not clause.history.osmium
    ):
        return "ChemicalFixation"
    if re.match(r"\W*(?:the\s)?(?:\w+\s)?microwav", clause.words, re.I) and not held:
        treated = [
            c
            for c in clause.history.classes
            if c not in ("Dissection", "Trimming", "Rinsing", "OtherStep", "Anaesthesia")
        ]
        if treated:
            return treated[-1]
    if (
        re.search(r"\bfiducials?\b|\w*beads\b|microspheres", clause.words, re.I)
        and clause.action in ("apply", "incubate", "fiducial")
        and not held & {"resin", "osmium"}
    ):
        return "FiducialApplication"
    if re.search(
        r"ventric|transcardial|through\sthe\s(?:heart|aorta)|\baorta\b|vena\scava",
        clause.words,
        re.I,
    ):
        return "Perfusion"
    if re.search(r"hydrogel|acrylamide", clause.words, re.I):
        return "OtherStep"
    if (
        clause.action == "apply"
        and _CARRIER.search(clause.words)
        and not clause.history.frozen
        and not clause.history.resin
    ):
        return "HighPressureFreezing"
    if (
        clause.action == "apply"
        and "grid" in clause.words
        and re.search(r"\bgold\b", clause.words)
        and not sections
    ):
        return "FiducialApplication"
    if (
        clause.diluted
        and clause.action in ("", "incubate", "label")
        and held <= {"buffer", "protein", "detergent", "unknown"}
    ) and (sections or {"ImmunoLabelling", "Incubation"} & set(clause.history.classes)):
        return "ImmunoLabelling"
    if _ANTIBODY_WORDS.search(clause.words) and not held & {"osmium", "resin", "uranyl"}:
        return "ImmunoLabelling"
    lit = re.search(
        r"illuminat|irradiat|photo-?\s?(?:oxid|conver)|exposed\sto\slight", clause.words, re.I
    )
    if lit and "resin" not in held and not clause.history.resin:
        return "DabReaction"
    if "permanganate" in held:
        if clause.history.frozen and not clause.history.resin:
            return "FreezeSubstitution"
        return (
            "PostFixation" if "ChemicalFixation" in clause.history.classes else "ChemicalFixation"
        )
    if "immuno" in held and not held & {"osmium"}:
        return "ImmunoLabelling"
    if "dab" in held:
        if re.search(r"\b(?:pre-?incubat|pre-?soak)", clause.words, re.I):
            return "Incubation"
        return (
            "DabReaction"
            if "peroxide" in held or _DARK_LIGHT.search(clause.words)
            else "Incubation"
        )
    if "bead" in held:
        return "FiducialApplication"
    if "quencher" in held and not held & {"aldehyde", "osmium", "uranyl", "resin"}:
        return "Quenching"
    negative = re.search(r"negativ", clause.words, re.I) or (
        re.search(r"\bgrids?\b", clause.words)
        and not (clause.history.cured or sections or "section" in clause.words)
    )
    if clause.action == "stain" and negative and held & {"uranyl", "lead", "section-dye"}:
        return "Staining"
    if _SECTION_STAIN.search(clause.words) and not re.search(r"en[-\s]bloc", clause.words, re.I):
        return "PostStaining"
    if (
        last == "FreezeSubstitution"
        and "dehydrant" in held
        and _COCKTAIL.match(clause.words)
        and held & {"uranyl", "osmium", "aldehyde", "mordant"}
    ):
        return "FreezeSubstitution"
    if held & {"uranyl", "lead"} and "aldehyde" not in held:
        if (
            clause.history.frozen
            and not clause.history.resin
            and not clause.history.osmium
            and "dehydrant" in held
            and not clause.history.substituted
            and _AT_LOW.search(clause.words)
        ):
            return "FreezeSubstitution"
        return "PostStaining" if sections or _ON_SECTIONS.search(clause.words) else "EnBlocStaining"
    if "aldehyde" in held:
        return "ChemicalFixation"
    if "osmium" in held:
        if sections:
            return "PostStaining"
        return osmium_class(clause.history)
    if "mordant" in held:
        return "PostStaining" if sections else "EnBlocStaining"
    if "section-dye" in held:
        return "PostStaining" if sections or clause.history.cured else "EnBlocStaining"
    if held & {"reducer"} and held <= {"reducer", "buffer", "water", "additive"}:
        return "Incubation"
    if "reducer" in held or "stain" in held:
        return "PostStaining" if sections else "EnBlocStaining"
    if "dye" in held:
        return "FluorescentLabelling"
    if "resin" in held:
        if clause.hottest is not None and clause.hottest >= 45:
            return "OvenCuring"
        return "Infiltration"
    if "drying" in held:
        return "OtherStep"
    if (
        last == "CellCulture"
        and clause.action in ("", "incubate", "apply", "hold")
        and held
        and held <= {"medium", "protein", "additive"}
    ):
        return "CellCulture"
    kept_alive = re.search(r"CO2|incubator|confluen|serum|FBS|FCS", clause.words)
    if "medium" in held and kept_alive and not held & {"immuno", "dye", "aldehyde"}:
        return "CellCulture"
    if "anaesthetic" in held:
        return "Anaesthesia"
    if "cryogen" in held:
        return "OtherStep" if clause.history.frozen or clause.history.cured else "PlungeFreezing"
    if "transition" in held:
        return "Dehydration"
    if "dehydrant" in held and last == "Dehydration":
        return "Dehydration"
    if "dehydrant" in held:
        if (clause.history.substituted and not clause.history.sectioned) or sections:
            return "Rinsing"
        return "Dehydration"
    if held & {"sugar", "cryoprotectant", "detergent", "protein", "filler"}:
        return "Incubation"
    if (
        held
        and held <= {"buffer", "water", "additive", "solvent", "medium"}
        and (clause.timed or clause.action == "")
    ) and held & {"buffer", "water"}:
        return "Rinsing"
    if "adhesive" in held:
        return "Mounting"
    if "metal" in held:
        particles = re.search(r"nm[-\s](?:colloidal\s)?gold", clause.words)
        if clause.timed and particles and not re.search(r"coat|sputter|layer", clause.words):
            return "ImmunoLabelling"
        return (
            "Coating"
            if re.search(r"\bnm\b|thick|layer|coat|sputter", clause.words)
            else "OtherStep"
        )
    if clause.action == "apply" and re.search(
        r"\b(?:cement|glue|adhesive|epoxy|silver\spaint|paste)\b", clause.words, re.I
    ):
        return "Mounting"
    if GRID.search(clause.words) and (
        (
            last in ("Sectioning", "SectionCollection")
            and clause.action in ("", "apply")
            and not held
        )
        or (clause.action == "apply" and re.search(r"sections?|ribbons?", clause.words))
    ):
        return "SectionCollection"
    if (
        clause.hottest is not None
        and clause.hottest >= 50
        and clause.timed
        and clause.history.resin
        and not sections
    ):
        return "OvenCuring"
    if held and clause.timed and clause.action in ("", "incubate", "apply", "hold"):
        return "Incubation"
    return "OtherStep" if clause.action in ("incubate", "apply", "hold", "remove") else None


def osmium_class(history: History) -> str:
    """Return what osmium does: the first is a fixation, a later one a stain."""
    return "EnBlocStaining" if history.osmium else "PostFixation"
