"""Checking a description in layers: file, model, terms, references, files, profiles, numbers."""

from clemkit.metadata.validate.report import Report
from clemkit.metadata.validate.rules import RULES
from clemkit.metadata.validate.run import validate

__all__ = ["RULES", "Report", "validate"]
