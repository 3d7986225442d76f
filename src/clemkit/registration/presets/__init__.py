"""Published registration chains as presets, to reproduce and to compare."""

from clemkit.registration.presets.clem_reg import register_clem_reg
from clemkit.registration.presets.cosem import register_cosem

__all__ = ["register_clem_reg", "register_cosem"]
