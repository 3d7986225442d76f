"""Names of reagents as the widget lists them, so that entries of EMPIAR can be found by them."""

from __future__ import annotations

from functools import cache
from typing import Final

from clemkit.metadata.protocols.grounding import ground

__all__ = ["widget_name"]

# without "NA", "Resin" and "Potassium Phosphate", which are several things, and "ddH2O", which is
# more than water
_LISTED: Final = (
    "Acetone", "Acrolein", "Araldite 502", "Aspartic acid", "BDMA", "Calcium Chloride", "DDSA",
    "DER 736", "Dimethylaminoethanol (DMAE)", "DMP-30", "Durcupan", "EDTA", "EGTA", "Embed 812",
    "Epon", "Epon-Araldite", "ERL 4221", "ERL 4206", "Ethanol", "Glutaraldehyde", "HEPES",
    "Lead Acetate", "Lead Aspartate", "Lead Citrate", "Lead Nitrate", "Lowicryl HM20",
    "Lowicryl HM23", "Lowicryl K11M", "Lowicryl K4M", "LR Gold", "LR White", "Magnesium Chloride",
    "Magnesium Sulphate", "Malachite Green", "NMA", "Osmium Tetroxide", "Paraformaldehyde", "PIPES",
    "PolyBed", "Potassium Chloride", "Potassium ferricyanide", "Potassium ferrocyanide",
    "Potassium permanganate", "Propylene oxide", "Quetol 651", "Ruthenium Red", "Sodium cacodylate",
    "Sodium Chloride", "Sodium Phosphate (dibasic)", "Sodium Phosphate (monobasic)", "Spurrs",
    "Sucrose", "Tannic acid", "Thiocarbohydrazide", "Tween20", "Uranyl Acetate",
)  # fmt: skip


def widget_name(name: str) -> str:
    """Return the widget's name of the same substance; *name* where it has none, or is not sure."""
    meaning = ground(name)
    if meaning.match in ("ambiguous", "unknown"):
        return name
    return _listed().get(meaning.canonical, name)


@cache
def _listed() -> dict[str, str]:
    return {ground(name).canonical: name for name in _LISTED}
