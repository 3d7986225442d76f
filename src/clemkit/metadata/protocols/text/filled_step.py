"""The fields of one step while they are filled, with the places where they were read."""

from __future__ import annotations

from typing import Any

from clemkit.metadata.model_map import model_map
from clemkit.metadata.protocols.text.quantities import FoundQuantity
from clemkit.metadata.protocols.text.spans import span
from clemkit.metadata.protocols.text.uses import ratio_words

__all__ = ["FilledStep"]

_NAMES = {
    "volume": "volume", "mass": "mass", "rotation": "rotation", "acceleration": "centrifugation",
    "current": "current", "voltage": "voltage", "frequency": "frequency", "amount": "amount",
    "osmolarity": "osmolarity", "concentration": "concentration", "length": "length",
    "temperature": "temperature", "duration": "duration", "power": "power", "pressure": "pressure",
    "ramp": "ramp", "speed": "speed", "flow": "flow", "angle": "angle", "count": "count",
    "humidity": "humidity", "ratio": "ratio", "dilution": "dilution", "ph": "pH",
}  # fmt: skip


class FilledStep:
    """Fields of one step while they are filled."""

    def __init__(self, text: str, name: str, source: str | None) -> None:
        self.text, self.source = text, source
        self.slots = set(model_map()["classes"][name]["slots"])
        self.name = name
        self.fields: dict[str, Any] = {}
        self.spans: list[dict[str, Any]] = []
        self.parameters: list[dict[str, Any]] = []

    def mark(self, quantity: FoundQuantity, path: str) -> None:
        """Note where the field at *path* was read."""
        self.spans.append(
            span(self.text, quantity.start, quantity.end, quantity.rule, quantity.confidence,
                 field=path, interpreted=quantity.interpreted, source=self.source)
        )  # fmt: skip

    def put(self, slot: str, quantity: FoundQuantity) -> bool:
        """Set a field that is free; say whether it was."""
        if slot not in self.slots or slot in self.fields:
            return False
        self.fields[slot] = quantity.plain()
        self.mark(quantity, slot)
        return True

    def parameter(self, quantity: FoundQuantity, name: str | None = None) -> None:
        """Keep a quantity that has no field."""
        number = len(self.parameters) + 1
        entry: dict[str, Any] = {"parameter_name": name or _NAMES.get(quantity.kind, quantity.kind)}
        if quantity.value is None and quantity.minimum is None and quantity.maximum is None:
            entry["parameter_json"] = f'"{ratio_words(quantity.verbatim)}"'
        else:
            entry["parameter_quantity"] = quantity.plain()
        self.parameters.append(entry)
        self.mark(quantity, f"parameters/{number}/parameter_quantity")
