"""Evaluation: target registration error, overlap, similarity, and the report."""

from clemkit.evaluation.affine_summary import AffineSummary, decompose_affine
from clemkit.evaluation.correlation import (
    normalised_cross_correlation,
    normalised_mutual_information,
)
from clemkit.evaluation.overlap import (
    OverlapScores,
    SurfaceDistances,
    label_overlap,
    mask_overlap,
    surface_distances,
)
from clemkit.evaluation.plots import write_preview
from clemkit.evaluation.report import render_report
from clemkit.evaluation.report_data import (
    ReportData,
    ReportImages,
    ReportMap,
    ReportVectors,
    report_data_from_result,
)
from clemkit.evaluation.tre import (
    TargetErrors,
    bootstrap_median,
    landmark_errors,
    target_registration_error,
)

__all__ = [
    "AffineSummary",
    "OverlapScores",
    "ReportData",
    "ReportImages",
    "ReportMap",
    "ReportVectors",
    "SurfaceDistances",
    "TargetErrors",
    "bootstrap_median",
    "decompose_affine",
    "label_overlap",
    "landmark_errors",
    "mask_overlap",
    "normalised_cross_correlation",
    "normalised_mutual_information",
    "render_report",
    "report_data_from_result",
    "surface_distances",
    "target_registration_error",
    "write_preview",
]
