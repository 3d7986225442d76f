"""A quantity, and where in a text it was read."""

from __future__ import annotations

from dataclasses import dataclass

from clemkit.metadata.model_map import model_map

__all__ = ["FoundQuantity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundQuantity:
    """A quantity and where it was read.

    Attributes
    ----------
    start, end : int
        Offsets of its words; ``verbatim`` is ``text[start:end]``.
    kind : str
        ``duration``, ``temperature``, ``ramp``, ``concentration``, ``humidity``, ``ratio``,
        ``dilution``, ``count``, ``ph``, ``length``, ``volume``, ``mass``, ``pressure``, ``power``,
        ``voltage``, ``current``, ``rotation``, ``speed``, ``flow``, ``frequency``, ``angle``,
        ``amount``, ``osmolarity``, ``acceleration``, ``gauge`` or ``other``: the size of a vial, an
        age, a share of cells, nothing that is done.
    value, minimum, maximum, tolerance : float or None
        A value, with its tolerance, or the ends of a range; of a ratio the value is its quotient.
    unit : str
        Name of the unit in the model.
    interpreted : bool
        Whether the text has words in place of the figures.
    rule : str
        Rule that read it.
    confidence : float
        0 to 1.
    """

    start: int
    end: int
    verbatim: str
    kind: str
    unit: str
    value: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    tolerance: float | None = None
    interpreted: bool = False
    rule: str = "number-unit"
    confidence: float = 0.95

    @property
    def ucum(self) -> str:
        """The unit's UCUM code."""
        return str(model_map()["enums"]["Unit"]["values"][self.unit]["ucum"])

    def plain(self) -> dict[str, object]:
        """Return the quantity in the model's plain form."""
        given = {
            "value": self.value,
            "unit": self.unit,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "uncertainty": self.tolerance,
            "verbatim": self.verbatim,
            "is_interpretation": True if self.interpreted else None,
        }
        return {k: v for k, v in given.items() if v is not None}
