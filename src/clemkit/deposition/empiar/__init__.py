"""EMPIAR: the deposition document made from a description, checked, compared and read back."""

from clemkit.deposition.empiar.agreement import check_against_files
from clemkit.deposition.empiar.check import check_document
from clemkit.deposition.empiar.difference import DepositionDifference, diff_depositions
from clemkit.deposition.empiar.document import EmpiarDeposition, build_deposition
from clemkit.deposition.empiar.importing import ImportedEntry, import_entry

__all__ = [
    "DepositionDifference",
    "EmpiarDeposition",
    "ImportedEntry",
    "build_deposition",
    "check_against_files",
    "check_document",
    "diff_depositions",
    "import_entry",
]
