"""Words that say what is done: the cues by which a sentence falls into treatments."""
# ruff: noqa: E501  a pattern is read in one piece

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["Cue", "describes", "find_cues"]


@dataclass(frozen=True, slots=True)
class Cue:
    """A word that says what is done.

    Attributes
    ----------
    start, end : int
        Offsets.
    action : str
        What is done, such as ``wash``.
    is_verb : bool
        Whether it is a verb; a noun (``dehydration``) may only name a treatment.
    """

    start: int
    end: int
    action: str
    is_verb: bool


# action, verb forms, noun forms
_ACTIONS: Final = (
    ("anaesthetise", r"(?:cold-|ice-|CO2-)?an(?:a)?esthet[iu][sz](?:e|ed|ing)|sedat(?:e|ed)|eutha?ni[sz](?:e|ed)|euthanas\w+|sacrificed?|killed|decapitated?|"
     r"cervical(?:ly)?\sdislocat\w+|betäubt", r"an(?:a)?esthesia|euthanasia|cervical\sdislocation"),
    ("perfuse", r"perfus(?:e|ed|ing)|perfusion[-\s]fix(?:ed)?|perfundier(?:t|en)|flush(?:ed)?(?=\s(?:trans|with|through|via|the\svas|the\sblood))", r"perfusions?(?:fix\w*)?"),
    ("dissect", r"dissect(?:ed|ing)?|entnehmen|entnommen|präparieren|excis(?:e|ed)|explant(?:ed)?|harvest(?:ed)?|minced?|punch(?=\sout|\s(?:discs|disks|holes|\d))|(?:punched|biops(?:y|ied))|took\sout|taken\sout|"
     r"enucleated?|diced?|(?:removed?|taken|extracted?|isolated?)(?=\s(?:from\sthe|and\s(?:placed|cut|fixed|immersed|post|trimmed|hemi)|"
     r"the\s(?:brain|tissue|liver|kidney|heart|retina|eye|spleen|lung|muscle|organ)))|"
     r"(?<=brain was )(?:removed|extracted|isolated)|(?<=brains were )(?:removed|extracted|isolated)", r"dissection|necropsy"),
    ("culture", r"cultur(?:ed?|ing)|grown?|seed(?:ed|ing)?|plated|maintain(?:ed)?|transfect(?:ed|ing)?|co-transfected|infected|electroporat\w+|"
     r"raised(?!\s(?:in\s(?:rabbit|mouse|goat|donkey)|against|to|slowly|at|from|by))|germinat(?:ed?|ing)|passaged?|trypsini[sz]ed|spread\son\s(?:NGM|agar)|kultiviert|ausgesät",
     r"cell\sculture|transfection"),
    ("postfix", r"post-?\s?fix(?:ed|ing)?|second(?:ary|ari?ly)?\sfix(?:ed|ing)?|osmicated?|osmificated?|osmifi(?:ed|ziert)|nachfixier(?:t|en)",
     r"post-?\s?fixation|secondary\sfixation|osmication|osmification|nachfixierung|second\sfixation"),
    ("fix", r"(?:pre-?|immersion[-\s]|further\s|cross-?)?fix(?:ed|ing)?(?=\W|\Z)|aldehyde-fixed|fixier(?:t|en)|cross-?link(?:ed)?", r"(?:pre-?|primary\s|chemical\s|immersion\s)?fixation|fixierung|fix(?=[:\s])"),
    ("wash", r"(?:re)?wash(?:ed|ing)?|(?:re)?rins(?:ed?|ing)|gewaschen|gespült|spülen|waschen",
     r"wash(?:es|ing)?|rins(?:es?|ing)s?|rince|buffer\sexchanges?|waschschritte?|spülung"),
    ("dehydrate", r"dehydrat(?:ed?|ing)|(?:de|ent)wässer(?:t|n)|entwässert", r"dehydration|entwässerung|dehydrierung"),
    ("infiltrate", r"infiltrat(?:ed?|ing)|impregnat(?:ed?|ing)(?=\s(?:with|in)\s(?:\w+\s){0,3}(?:resin|epon|spurr|durcupan|lr|hm20|epoxy))|permeated?|"
     r"infiltrier(?:t|en)|(?:exchanged?|replaced?|substituted?)(?=\s(?:with|for|by|to)\s(?:\w+\s){0,3}(?:resin|epon|durcupan|spurr|hm20))",
     r"infiltrations?|resin\sexchange"),
    ("embed", r"(?:flat-?|re-?|thin-?|minimal(?:ly)?\s)?embed(?:ded|ding)?|enrobed|eingebettet|einbetten|ausbetten|ausgebettet|capsulated|encapsulated?|enclosed", r"embedding|einbettung"),
    ("polymerise", r"polymeri[sz](?:ed?|ing)|polymerisier(?:t|en)|(?:re-?)?cur(?:ed?|ing)|harden(?:ed)?|baked?|bak(?:ed|ing)|gehärtet|aushärten|UV[-\s](?:cured?|polymeri[sz]ed?|irradiated)",
     r"UV(?:[-\s]light)?(?=,|:|\s?\(|\s[-−–]?\d|\sfor\b|\sat\b)|polymeri[sz]ation|curing|hardening|aushärtung"),
    ("stain", r"(?:counter-?|post-?|co-?|en[-\s]bloc\s|block[-\s]|bulk[-\s]|pre-?)?stain(?:ed|ing)?|(?:post-?|counter-?)?contrast(?:ed|ing)|contrast(?=\s(?:with|in|sections|grids|by|for|\d)|/)|gefärbt|färben|kontrastier(?:t|en)|"
     r"impregnat(?:ed?|ing)|mordanted",
     r"(?:en[-\s]bloc[-\s]|en[-\s]bloc\s|post-?|counter-?|block\s|negative\s)?staining|(?:post-?|counter-?)contrasting|kontrastierung|färbung"),
    ("quench", r"quench(?:ed|ing)?", r"quenching"),
    ("block", r"block(?:ed|ing)(?!\s(?:face|s\b))|(?:pre-?)block(?=\s(?:in|with|non|for|unspec|cells|sections|grids))", r"blocking(?!\s(?:buffer|solution|medium|face))"),
    ("permeabilise", r"permeabili[sz](?:ed?|ing)", r"permeabili[sz]ation"),
    ("cryoprotect", r"cryo-?protect(?:ed|ing)?", r"cryo-?protection"),
    ("label", r"(?:immuno-?(?:gold[-\s]?)?|double-?|gold-?|surface-?|live-?)?label(?:l?ed|l?ing)?|(?:immuno-?)?stained(?=\swith\santi)|immuno-?reacted|immunoreact\w+|markier(?:t|en)",
     r"(?:immuno-?(?:gold[-\s]?)?|double-?)?label(?:l)?ing|immunogold"),
    ("freeze", r"(?:high[-\s]pressure[-\s]?|plunge[-\s]?|cryo-?|snap-?|flash-?|vitrif\w*\s)?fr(?:ozen|eeze(?![-\s]*(?:subst|dr|frac))|eezing)(?![-\s]*(?:subst|dr|frac))|"
     r"(?:cryo)?vitrif(?:ied|y|ying)|high[-\s]pressure[-\s]froze\w*|(?<!\d\s)(?-i:HPF)|cryo-?fixed|plung(?:ed?|ing)(?=\s(?:in|into|the|by|grids|freez))|plunge-?frozen|slam-?frozen|eingefroren|"
     r"cryo-?immobili[sz]ed", r"(?:high[-\s]pressure[-\s]|plunge[-\s]?|cryo-?|rapid\s)?freezing|vitrification|cryo-?fixation|cryo-?immobili[sz]ation"),
    ("substitute", r"freeze[-\s]?substitut(?:ed?|ing)|substitut(?:ed|ing)(?!\s(?:with|for|by)\s\w+\sresin)|(?:quick\s)?QFS|gefriersubstituiert",
     r"(?:quick\s|rapid\s)?freeze[-\s]?substitution|substitution|AFS\s(?:protocol|program(?:me)?)|gefriersubstitution|FS(?=\s(?:in|was|with|medium)|:)"),
    ("warm", r"warm(?:ed|ing)?(?=\s(?:up|to|slowly|from|gradually|at|over|with|up\sto|stepwise|in)|\W|\Z)|temperature\s(?:was|is)\s(?:then\s|slowly\s|gradually\s|subsequently\s)?(?:raised|increased|brought|ramped|"
     r"lowered|set|kept|held)|(?:raised?|ramp(?:ed)?|brought|bring|slope|heated|cooled)(?=\s(?:slowly\s|gradually\s|up\s|the\stemperature\s)?(?:to|from|at|with|up)\b)|aufgewärmt|erwärmt", r"warm-?up|warming|temperature\sramp"),
    ("cpd", r"[Kk]ritisch[-\s]?[Pp]unkt[-\s]?[Tt]rocknung|critical[-\s]point[-\s]dr(?:ied|y|ying)", r"critical[-\s]point\s(?:drying|dryer|drier)|CPD"),
    ("mount", r"(?:re-?)?mount(?:ed|ing)?|sandwiched|glued?|gluing|superglued|stuck|(?<!to )attach(?:ed)?|adher(?:ed?)(?=\s(?:to|onto|on))|clipped|clip(?=\s(?:the\s)?grids)|autogrid\w*(?!\s(?:box|(?:were|was|are)\s(?:then\s)?(?:loaded|transferred|inserted|kept|stored)))|aufgeklebt|(?:auf)?kleben|affixed", r"mounting"),
    ("trim", r"trimm(?:ed|ing)|trim|smoothed|(?:block-?\s?)?fac(?:ed|ing)(?=\s(?:with|using|off|by))|fac(?:ed)|getrimmt|pyramid(?:al)?\sshap\w+", r"trimming"),
    ("section", r"(?:cryo-?|ultrathin[-\s]|thin[-\s]|serial(?:ly)?[-\s]|re-?|ultra-?|vibratome[-\s])?section(?:ed|ing)|slic(?:ed?|ing)|cut|cutting|microtom(?:ed|y)|"
     r"vibratomed|geschnitten|schneiden|section(?=\s(?:\d|at|the|in|with|serially|using|on))", r"(?:ultra-?thin\s|cryo-?|serial\s|ultra)?sectioning|ultramicrotomy|(?:serial|ultrathin|ultra-thin|semi-?thin|thin)\s(?:\w+\s){0,2}sections(?=\s(?:of|\())|\w*schnitte|(?:vibratome|microtome|cryostat|coronal|sagittal)\s(?:sections|slices)(?=,|:|\s\d|\s\()|ribbons?(?=:?\s~?\d)|(?<=nm\s)(?:(?:serial|ultra-?thin|thin|semi-?thin)\s)*sections|(?:thin\s|ultrathin\s|semithin\s)?sections(?=\s(?:of\s)?~?\d+(?:\s?[-–]\s?\d+)?\s?(?:nm|[µμ]m))|(?:ultra-?|semi-?)?(?:thin|thick)\s(?:cross-?)?sections(?=\s\((?:~|ca\.?\s)?\d)|(?<=[µμ]m\s)(?:semi-?thin\s)?sections(?=\s(?:were|was)\s(?:\w+ly\s)?stained)|(?:semi-?|ultra-?)?thins?(?=:?\s~?\d+(?:[.,]\d+)?\s?(?:[-–]\s?\d+\s?)?(?:nm|[µμ]m))|(?:semi-?|ultra-?)thin(?=\s(?:sections?\s)?[(]?\d)"),
    ("collect", r"collect(?:ed|ing)?|lifted(?=\s(?:on|onto|with)\s)|lift(?:ed)?(?:\s\w+)?\s(?:out|off|up)(?=\s(?:on|onto|with|from|the|in)\b)|pick(?:ed)?\s?-?up|picked|pick|retriev(?:ed?|ing)|float(?:ed|ing)?(?=\s(?:on|onto))|aufgenommen|gesammelt|transferred(?=\s(?:on|to|onto)\s(?:\w+\s){0,4}(?:grid|wafer|coverslip|slide|tape))", r"collection|pick-?up"),
    ("coat", r"(?:sputter-?\s?|carbon-?\s?|gold-?\s?|platinum-?\s?)?coat(?:ed|ing)|sputter(?:ed|ing)?|evaporat(?:ed|ing)(?=\s(?:with|onto|carbon|a\s\d))|shadow(?:ed|ing)|bedampf(?:t|en)|besputter(?:t|n)|"
     r"coat(?=\s(?:the|with|samples|blocks|stubs|wafers|sections|in|by))|deposit(?:ed)?(?=\s|\W)", r"(?:sputter|carbon|gold|platinum|metal)\s?-?coating|coating|carbon\sevaporation|(?:carbon|gold|platinum|metal|Au|Pt|Ir)\scoat|(?:GIS|platinum|carbon)\sdeposition"),
    ("mill", r"(?:FIB-?\s?|cryo-?FIB-?\s?|rough-?\s?|fine-?\s?|ion-?)?mill(?:ed|ing)|polish(?:ed|ing)?|thinned|lamella(?:e)?\s(?:was|were)\s(?:prepared|generated|produced|cut|made)|ablat(?:ed|ing)|lift(?:ed)?[-\s]?out",
     r"(?:cryo-?\s?)?(?:FIB[-\s])?milling|thinning|(?:FIB\s)?lift-?out"),
    ("fiducial", r"(?:fiducial\w*|beads?|gold\sparticles|microspheres|fluospheres|tetraspeck\w*|nanodiamonds)\s(?:\w+\s){0,3}(?:were|was|are|is)\s(?:then\s)?(?:added|applied|placed|deposited|spotted|adsorbed|put)|"
     r"brand(?:ed|ing)|NIRB|laser[-\s]mark\w*|near-?infrared\sbrand\w+", r"fiducials?|branding|finder\spattern"),
    ("store", r"stor(?:ed?|ing)|aufbewahrt|gelagert|kept\suntil|keep\suntil", r"storage|lagerung"),
    ("blot", r"(?:back-?)?blot(?:ted)?(?=\s(?:for|from|with|manually|automatically|in\sa\s|on\sboth)|\s?\()", r"(?!)"),
    ("thaw", r"einfrieren/auftauen|auftauen|aufgetaut|(?:freeze[-\s])?thaw(?:ed|ing)?|recover(?:ed)?|degas(?:sed)?|desiccat(?:ed?)|air-?\s?dr(?:y|ied)|dried|dry(?=\s(?:on|in|at|for|the|under|over|sections|overnight|with|carefully)|[.,;]|\Z)|blot(?:ted)?(?=\s(?:dry|on|with|the))|drain(?:ed)?|getrocknet|let\s(?:\w+\s){0,3}dry|solidif(?:y|ied)|gel(?:led)?(?=\s)|dry\sunder", r"drying|thawing|recovery"),
    ("handle", r"glow[-\s]discharg(?:ed?)|plasma[-\s]clean(?:ed)?|(?:ultra)?centrifug(?:ed?|ing)|sp(?:un|in)(?=\s(?:down|at|for|in)|\W|\Z)|pellet(?:ed)?(?=\s(?:by|at|for|in|cells)|\W|\Z)|"
     r"concentrated(?=\s(?:by|with|in|to|using))|scrap(?:ed?|ing)|detach(?:ed)?|(?:re-?)?suspend(?:ed)?|resuspend(?:ed)?|bleach(?:ed)?|etch(?:ed)?|decalcif(?:y|ied)|(?:UV-?\s?)?sterili[sz]ed|dechorionated|demembranated|decellulari[sz]ed|dewaxed|hydroly[sz]ed|sonicat(?:ed?)|"
     r"ozone[-\s]cleaned|silani[sz]ed|cleaved|filtered(?=\sonto)|homogeni[sz]ed|deparaffini[sz]ed|rehydrat(?:ed?|ing)", r"glow[-\s]discharg(?:e|ing)|centrifugation|decalcification"),
    ("remove", r"remov(?:ed?|ing)|aspirat(?:ed?|ing)|discard(?:ed)?|decant(?:ed)?|drain(?:ed)?|suck(?:ed)?\soff|wick(?:ed)?", r"removal"),
    ("hold", r"kept|keep|left|leave|held|hold|remain(?:ed)?|continu(?:ed?|ing)|allow(?:ed)?|let|stand|stay(?:ed)?|belassen|stehen", r"(?!)"),
    ("apply", r"add(?:ed)?|applied|apply|pipette|drop(?:ped)?|load(?:ed)?|pour(?:ed)?|inject(?:ed)?|overla(?:id|y)|cover(?:ed)?|plac(?:ed?|ing)|put|transfer(?:red)?|moved?|"
     r"exchang(?:ed?|ing)|replac(?:ed?|ing)|chang(?:ed?|ing)|mix(?:ed)?|brush(?:ed)?|paint(?:ed)?|smear(?:ed)?|spread|gegeben|überführt", r"exchange"),
    ("incubate", r"(?:pre-?)?incubat(?:ed?|ing)|inkubier(?:t|en)|immers(?:ed?|ing)|dipped|soak(?:ed|ing)?|expos(?:ed?|ing)(?=\s(?:to|in))|equilibrat(?:ed?|ing)|submerged?|treat(?:ed|ing)?|"
     r"react(?:ed)?|reduc(?:ed)|develop(?:ed)?|shak(?:en|e)|rotat(?:ed?)|agitat(?:ed?)|irradiat(?:ed?)|illuminat(?:ed?)|photo-?oxidi[sz]ed|activat(?:ed?)|microwaved?|processed|"
     r"converted|oxidi[sz]ed|invert(?:ed)?|cool(?:ed)?|heat(?:ed)?|hydrat(?:ed)?|repeat(?:ed)?|clean(?:ed)?",
     r"incubations?|inkubation|treatment|immersion|photo-?oxidation|DAB\sreaction|microwave(?=:)"),
    ("image", r"imag(?:ed|ing)|acquir(?:ed|ing)|visuali[sz]ed|observed|examined|photographed|recorded|viewed|scanned|inspected|obtained|analy[sz]ed|reconstructed|aligned|segmented|"
     r"captured|checked|screened|quantified|investigated|aufgenommen\sam", r"imaging|acquisition|images\s"),
    ("prepare", r"prepared(?=\s(?:by|from|fresh|freshly|in|as|according|with|the\sday|immediately|using|a\s))|dissolv(?:ed?|ing)|dilut(?:ed|e)(?=\s(?:in|to|with|from))|purchased|made\sup|made\sby|obtained\sfrom|filter(?:ed)?(?=\s(?:through|before|with|solution|\())|adjust(?:ed)?|titrated?", r"preparation\sof"),
)  # fmt: skip
_SAMPLE = (
    r"(?:cells?|tissues?|samples?|specimens?|brains?|sections?|slices?|blocks?|cultures?|neurons?|bacteria|yeasts?|plants?|organoids|spheroids|cryo-?sections?|suspensions?|films?|preparations?|animals?|mice|pieces|grids?|embryos?|larvae|leaves|"
    r"worms?|coverslips?|monolayers?|material|pellets?|organoids?|biopsies|fragments?|carriers?|discs?|disks?|capsules|roots?|"
    r"ribbons?|wafers?|resin|medium|buffer|cocktail|mix(?:ture)?|fixative|hydrated|stubs?|moulds?|molds?|lamella\w*|planchettes?|ethane|acetone|ethanol|water|solution|eggs?)"
)
_ADJECTIVE_BEFORE = re.compile(rf"[-\s](?:\w+[-\s]){{0,2}}?{_SAMPLE}\b", re.I)
# a glow-discharged, carbon-coated grid
_DETERMINED = re.compile(
    r"\b(?:an?|the|each|all|some|on|onto|of|with|in|to|from|into|these|those|fresh|freshly)\s"
    r"(?:(?:\w+-)?\w+ed,\s|\w+\s)?\Z",
    re.I,
)
_ADJECTIVES_BEFORE = re.compile(
    rf"[-,\s]+(?:(?!(?:in|with|on|for|at|by|to|of|from|using|and|or|was|were)\b)[\w-]+[-,\s]+){{0,3}}?{_SAMPLE}\b",
    re.I,
)
_PASSIVE_BEFORE = re.compile(
    r"\b(?:were|was|are|is|been|be|being|then|and|or|subsequently|finally|again|further|next|briefly|afterwards|immediately|thoroughly|also|"
    r"quickly|gently|either|first|before|after|by|not|extensively|carefully|directly|thereafter|additionally|twice|\d\s?[x×]|wurden|wurde|"
    r"en\sbloc|step-?wise|gradually|slowly|serially|sequentially|chemically|lightly|rapidly|without|while|when|once)[,:]?\s+\Z"
    r"|[,;(:]\s*\Z|\A\s*\Z|[.]\s+\Z",
    re.I,
)


def _compiled() -> tuple[tuple[re.Pattern[str], str, bool], ...]:
    rows: list[tuple[re.Pattern[str], str, bool]] = []
    for action, verbs, nouns in _ACTIONS:
        rows.append((re.compile(rf"(?<![\w-])(?:{verbs})(?![\w])", re.I), action, True))
        rows.append((re.compile(rf"(?<![\w-])(?:{nouns})(?![\w])", re.I), action, False))
    return tuple(rows)


_PATTERNS = _compiled()
# an earlier action wins where two read the same words
_RANK = {action: i for i, (action, *_) in enumerate(_ACTIONS)}


def find_cues(text: str, start: int, end: int) -> list[Cue]:
    """Return the cues between two offsets of *text*, in order, without overlap."""
    piece = text[start:end]
    hits: list[tuple[int, int, int, Cue]] = []
    for pattern, action, verb in _PATTERNS:
        for found in pattern.finditer(piece):
            # a gerund names a treatment as a noun does
            acts = verb and not found[0].lower().endswith("ing")
            cue = Cue(start + found.start(), start + found.end(), action, acts)
            if _COMPOUND.match(piece, found.end()) and found[0].lower().endswith("ing"):
                continue  # washing buffer
            if not (verb and (_is_adjective(piece, found) or _is_noun(piece, found, action))):
                hits.append((found.start(), -len(found[0]), _RANK[action] * 2 + (not verb), cue))
    kept: list[Cue] = []
    for *_, cue in sorted(hits, key=lambda h: (h[1] * 0, h[0], h[1], h[2])):
        if all(cue.end <= k.start or cue.start >= k.end for k in kept):
            kept.append(cue)
    return sorted(kept, key=lambda c: c.start)


# imperatives that are nouns elsewhere
_BASE = frozenset(
    [
        "mix",
        "cover",
        "drop",
        "load",
        "apply",
        "place",
        "move",
        "change",
        "exchange",
        "replace",
        "add",
        "hold",
        "leave",
        "keep",
        "stand",
        "let",
        "allow",
        "transfer",
        "remove",
        "aspirate",
        "discard",
        "drain",
        "stain",
        "wash",
        "rinse",
        "fix",
        "mount",
        "clip",
        "glue",
        "attach",
        "trim",
        "section",
        "slice",
        "collect",
        "pick",
        "coat",
        "mill",
        "polish",
        "store",
        "thaw",
        "dry",
        "blot",
        "incubate",
        "treat",
        "heat",
        "cool",
        "rotate",
        "agitate",
        "shake",
        "invert",
        "react",
        "develop",
        "clean",
        "bleach",
        "etch",
        "spin",
        "pellet",
        "suspend",
        "resuspend",
        "quench",
        "block",
        "label",
        "freeze",
        "embed",
        "cure",
        "harden",
        "bake",
        "harvest",
        "plate",
        "grow",
        "seed",
        "culture",
        "dissolve",
        "dilute",
        "adjust",
        "filter",
        "brush",
        "paint",
        "smear",
        "spread",
        "pour",
        "inject",
        "pipette",
        "float",
        "warm",
        "substitute",
        "dehydrate",
        "infiltrate",
        "polymerise",
        "polymerize",
        "perfuse",
        "flush",
        "dissect",
        "excise",
        "scrape",
        "sandwich",
        "soak",
        "immerse",
        "submerge",
        "expose",
        "equilibrate",
        "microwave",
        "dice",
        "mince",
        "face",
        "raise",
        "ramp",
        "bring",
    ]
)
_IMPERATIVE_BEFORE = re.compile(
    r"(?:\A|[.;:,()\n|>*_–—-]|\b(?:and|then|or|to|next|first|finally|und|carefully|gently|quickly|briefly|immediately|slowly|again|directly|please|must|should|"
    r"can|may|will|either|not|thoroughly|carefully|well|subsequently|afterwards|now))[\s*_•-]*\Z",
    re.I,
)


_COMPOUND = re.compile(
    r"\s(?:buffer|solution|medium|media|dish|tube|kit|reagent|resin|mixture|capsules?|moulds?|molds?)\b",
    re.I,
)


def _is_noun(piece: str, found: re.Match[str], action: str) -> bool:
    """Whether a word that could be an imperative stands where only a noun can."""
    before = piece[: found.start()]
    if action == "prepare" and found[0].lower().endswith("ed"):
        return not re.search(r"\b(?:was|were|is|are|been|be)\s(?:\w+\s)?\Z|\A\W*\Z", before, re.I)
    return found[0].lower() in _BASE and not _IMPERATIVE_BEFORE.search(before)


def describes(text: str, cue: Cue) -> bool:
    """Whether a participle stands before what it describes: *Cultured neurons on grids*."""
    found = text[cue.start : cue.end].lower().endswith("ed")
    return found and bool(_ADJECTIVE_BEFORE.match(text, cue.end))


def _is_adjective(piece: str, found: re.Match[str]) -> bool:
    """Whether a participle only describes: *fixed cells*, *high-pressure frozen samples*."""
    word = found[0].lower()
    if not word.endswith(("ed", "en", "cut", "hpf", "ing", "it")):
        return False
    if _DETERMINED.search(piece[: found.start()]) and _ADJECTIVES_BEFORE.match(piece, found.end()):
        return True
    if not _ADJECTIVE_BEFORE.match(piece, found.end()):
        return False
    return not _PASSIVE_BEFORE.search(piece[: found.start()]) or _is_subject(piece, found)


def _is_subject(piece: str, found: re.Match[str]) -> bool:
    """Whether the words open a sentence whose verb comes later: *Fixed cells were washed*."""
    if re.search(r"\S", piece[: found.start()].rpartition(",")[2]):
        return False
    return bool(
        re.match(
            rf"[-\s](?:\w+\s){{0,4}}?{_SAMPLE}\s(?:\w+\s)?(?:were|was|are)\b", piece[found.end() :]
        )
    )
