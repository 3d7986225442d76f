"""clemkit: correlative light, X-ray and electron microscopy."""

__version__ = "0.1.0"
