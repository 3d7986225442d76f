"""Spellings of units in protocols: a pattern for each unit of the model, and its kind."""
# ruff: noqa: E501  a pattern is read in one piece

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

__all__ = ["UnitWord", "unit_of", "unit_pattern"]


@dataclass(frozen=True, slots=True)
class UnitWord:
    """One spelling: a regular expression, the unit's name in the model, what it measures."""

    pattern: str
    unit: str
    kind: str


_DEG = r"(?:°|º|˚|∘|ᵒ|\^o\s?|deg(?:rees?)?\.?\s?|(?<=\d)[oO0]?(?=C\b)|Grad\s)"
_CELSIUS = rf"(?:{_DEG}\s?(?:C(?:elsius)?|c)\b|℃|(?<=\d)\s?C\b|(?<=\d)°(?!\s?[A-Za-z])|Celsius\b)"
_PER_H = (
    r"\s?(?:/\s?(?:h|hr|hour|Std)\b\.?|(?:per|pro)\s(?:hour|h|hr|Stunde)\b|[·.\s]?h(?:-1|⁻¹|−1))"
)
_PER_MIN = r"\s?(?:/\s?min(?:ute)?\b|(?:per|pro)\s(?:minute|min|Minute)\b|[·.\s]?min(?:-1|⁻¹|−1))"
_WV = r"(?:\(\s?(?:w\.?\s?/\s?v|wt\.?/vol\.?|w:v|m/v|g/v)\.?\s?\)|(?:w\.?\s?/\s?v|wt\.?/vol\.?|w:v|m/v|g/v)\.?)(?![A-Za-z])"
_VV = r"(?:\(\s?(?:v\.?\s?/\s?v|vol\.?/vol\.?|v:v)\.?\s?\)|(?:v\.?\s?/\s?v|vol\.?/vol\.?|v:v)\.?)(?![A-Za-z])"
_WW = r"(?:\(\s?(?:w\.?\s?/\s?w|wt\.?/wt\.?|w:w|m/m)\.?\s?\)|(?:w\.?\s?/\s?w|wt\.?/wt\.?|w:w|m/m)\.?)(?![A-Za-z])"
_PCT = r"(?:%|％|per\s?cent\b|percent\b|Prozent\b)"
_U = "(?:µ|μ|u|micro)"
_L = "[lL]"
_END = r"(?![A-Za-zµμ0-9²³])"

# longer spellings stand before their beginnings
_WORDS: Final = tuple(
    UnitWord(*row)
    for row in (
        (_CELSIUS + _PER_H, "degC_per_h", "ramp"),
        (_CELSIUS + _PER_MIN, "degC_per_min", "ramp"),
        (r"K" + _PER_H, "K_per_h", "ramp"),
        (r"K" + _PER_MIN, "K_per_min", "ramp"),
        (_CELSIUS, "degC", "temperature"),
        (r"(?:K|[Kk]elvin)" + _END, "K", "temperature"),
        (rf"{_PCT}\s?{_WV}|(?:%\s?)?w/v\s?%", "percent_wv", "concentration"),
        (rf"{_PCT}\s?{_VV}|[Vv]ol\.?[-\s]?%|(?:%\s?)?v/v\s?%", "percent_vv", "concentration"),
        (rf"{_PCT}\s?{_WW}|wt\.?[-\s]?%", "percent_ww", "concentration"),
        (_PCT, "percent", "concentration"),
        (r"ppm" + _END, "ppm", "concentration"),
        (rf"(?:mg|milligrams?)\s?/\s?m{_L}{_END}|mg\sm{_L}(?:-1|⁻¹|−1)|(?:µ|μ|u)g\s?/\s?(?:µ|μ|u){_L}{_END}|mg\sper\sm{_L}{_END}",
         "mg_per_mL", "concentration"),
        (rf"{_U}g\s?/\s?m{_L}{_END}|{_U}g\sm{_L}(?:-1|⁻¹|−1)", "ug_per_mL", "concentration"),
        (rf"ng\s?/\s?m{_L}{_END}|ng\sm{_L}(?:-1|⁻¹|−1)", "ng_per_mL", "concentration"),
        (rf"mg\s?/\s?{_L}{_END}|mg\s{_L}(?:-1|⁻¹|−1)|mg\sper\sli(?:ter|tre){_END}", "mg_per_L", "concentration"),
        (rf"g\s?/\s?{_L}{_END}|g\s{_L}(?:-1|⁻¹|−1)", "g_per_L", "concentration"),
        (r"mg\s?/\s?kg" + _END, "mg_per_kg", "amount"),
        (rf"(?:U|I\.?U\.?|[Uu]nits)\s?(?:/|per)\s?m{_L}{_END}", "U_per_mL", "concentration"),
        (r"m[Oo]sm(?:ol)?\.?\s?(?:/\s?kg|kg-1)" + _END, "mOsm_per_kg", "osmolarity"),
        (rf"m[Oo]sm(?:ol|ol/[lL]|/[lL]|s)?{_END}", "mOsm", "osmolarity"),
        (rf"m{_L}\s?(?:/|per\s)\s?min(?:ute)?{_END}|m{_L}\smin(?:-1|⁻¹|−1)", "mL_per_min", "flow"),
        (rf"m{_L}\s?(?:/|per\s)\s?(?:h|hr|hour){_END}", "mL_per_h", "flow"),
        (rf"mm\s?/\s?s(?:ec)?{_END}|mm\ss(?:-1|⁻¹|−1)|mm\sper\ssecond", "mm_per_s", "speed"),
        (rf"{_U}m\s?/\s?s(?:ec)?{_END}", "um_per_s", "speed"),
        (rf"nm\s?/\s?s(?:ec)?{_END}", "nm_per_s", "speed"),
        (r"mmol\s?/\s?[lL]" + _END, "mM", "concentration"),
        (r"mol\s?/\s?[lL]" + _END, "M", "concentration"),
        (r"mM" + _END, "mM", "concentration"),
        (r"(?:µ|μ|u)M" + _END, "uM", "concentration"),
        (r"nM" + _END, "nM", "concentration"),
        (r"(?:M|molar)" + _END, "M", "concentration"),
        (r"N" + _END, "N", "concentration"),
        (r"(?:minutes?|Minuten?|mins?|Min|MIN|mn)" + _END, "min", "duration"),
        (r"(?:hours?|Stunden?|Std|hrs?|HRS?|h|H)" + _END, "h", "duration"),
        (r"(?:milliseconds?|msec|ms)" + _END, "ms", "duration"),
        (r"(?:seconds?|Sekunden?|Sek|secs?|Sec|s)" + _END, "s", "duration"),
        (r"(?:days?|Tage?n?|d)" + _END, "d", "duration"),
        (r"(?:weeks?|Wochen?|wks?)" + _END, "wk", "duration"),
        (r"(?:months?|Monate?n?)" + _END, "mo", "duration"),
        (r"(?:years?|yrs?|Jahre?n?)" + _END, "a", "duration"),
        (rf"(?:nm|nanomet(?:er|re)s?){_END}", "nm", "length"),
        (rf"(?:{_U}m|microns?|micromet(?:er|re)s?){_END}", "um", "length"),
        (rf"(?:mm|millimet(?:er|re)s?){_END}", "mm", "length"),
        (rf"(?:cm|centimet(?:er|re)s?){_END}", "cm", "length"),
        (r"(?:Å|Å|[AaÅ]ngstr[oö]ms?)" + _END, "angstrom", "length"),
        (rf"(?:{_U}{_L}|microlit(?:er|re)s?){_END}", "uL", "volume"),
        (rf"(?:m{_L}|millilit(?:er|re)s?|cc){_END}", "mL", "volume"),
        (r"(?:L|l|lit(?:er|re)s?)" + _END, "L", "volume"),
        (r"(?:×|[x*])\s?g" + _END + r"|\s?(?:rcf|RCF)\b", "times_g", "acceleration"),
        (r"(?:mg|milligrams?)" + _END, "mg", "mass"),
        (rf"{_U}g{_END}", "ug", "mass"),
        (r"ng" + _END, "ng", "mass"),
        (r"(?:kg|kilograms?)" + _END, "kg", "mass"),
        (r"(?:g|grams?)" + _END, "g", "mass"),
        (r"mmol" + _END, "mmol", "amount"),
        (r"mol" + _END, "mol", "amount"),
        (r"(?:rpm|r\.p\.m\.?|U/min|RPM)" + _END, "rpm", "rotation"),
        (r"(?:in\.?\s?Hg|inHg|inch(?:es)?\s(?:of\s)?Hg|[\"″”]\s?Hg|inches\sof\smercury|inches\sHg)" + _END,
         "inHg", "pressure"),
        (r"(?:mm\s?Hg|[Tt]orr)" + _END, "mmHg", "pressure"),
        (r"kPa" + _END, "kPa", "pressure"),
        (r"MPa" + _END, "MPa", "pressure"),
        (r"mbar" + _END, "mbar", "pressure"),
        (r"bars?" + _END, "bar", "pressure"),
        (r"(?:psi|PSI|p\.s\.i\.)" + _END, "psi", "pressure"),
        (r"atm" + _END, "atm", "pressure"),
        (r"Pa" + _END, "Pa", "pressure"),
        (r"mW" + _END, "mW", "power"),
        (r"(?:W|[Ww]atts?)" + _END, "W", "power"),
        (r"(?:kV|KV|keV)" + _END, "kV", "voltage"),
        (r"(?:V|[Vv]olts?)" + _END, "V", "voltage"),
        (r"mA" + _END, "mA", "current"),
        (r"(?:µ|μ|u)A" + _END, "uA", "current"),
        (r"nA" + _END, "nA", "current"),
        (r"pA" + _END, "pA", "current"),
        (r"Hz" + _END, "Hz", "frequency"),
        (r"[-\s]?(?:gauge|G(?=\s(?:needle|butterfly|cannula|syringe)))" + _END, "gauge", "gauge"),
        (r"(?:°|º|˚|\s?degrees?\b)(?!\s?[CFKcf]\b)", "deg", "angle"),
        (r"(?:U|[Uu]nits)" + _END, "U", "amount"),
    )
)  # fmt: skip


@cache
def unit_pattern(*kinds: str) -> str:
    """Return one pattern for the units of some kinds, of all when none is named."""
    chosen = [w.pattern for w in _WORDS if not kinds or w.kind in kinds]
    return "(?:" + "|".join(f"(?:{p})" for p in chosen) + ")"


@cache
def _compiled() -> tuple[tuple[re.Pattern[str], UnitWord], ...]:
    return tuple((re.compile(w.pattern), w) for w in _WORDS)


@cache
def _lookup(text: str, before: str) -> UnitWord | None:
    for pattern, word in _compiled():
        # some spellings look at the digit before them
        if pattern.fullmatch(before + text, len(before)):
            return word
    return None


def unit_of(text: str) -> UnitWord | None:
    """Return the unit that *text* spells, as it stands behind a number."""
    return _lookup(text, "0") or _lookup(text.strip(), "0")
