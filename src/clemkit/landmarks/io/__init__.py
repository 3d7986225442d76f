"""Landmark files: one module per format, and a front door that recognises them."""

from clemkit.landmarks.io.bigwarp_csv import read_bigwarp_csv, write_bigwarp_csv
from clemkit.landmarks.io.bigwarp_json import read_bigwarp_json, write_bigwarp_json
from clemkit.landmarks.io.elastix_points import read_elastix_points, write_elastix_points
from clemkit.landmarks.io.front_door import (
    join_points,
    read_landmark_pairs,
    read_landmark_points,
    read_pairs_file,
    sniff_format,
    write_landmark_pairs,
    write_landmark_points,
)
from clemkit.landmarks.io.named_csv import (
    read_named_pairs,
    read_named_points,
    write_named_pairs,
    write_named_points,
)
from clemkit.landmarks.io.napari_points import read_napari_points, write_napari_points
from clemkit.landmarks.io.pairs_file import PairsFile, PointsFile

__all__ = [
    "PairsFile",
    "PointsFile",
    "join_points",
    "read_bigwarp_csv",
    "read_bigwarp_json",
    "read_elastix_points",
    "read_landmark_pairs",
    "read_landmark_points",
    "read_named_pairs",
    "read_named_points",
    "read_napari_points",
    "read_pairs_file",
    "sniff_format",
    "write_bigwarp_csv",
    "write_bigwarp_json",
    "write_elastix_points",
    "write_landmark_pairs",
    "write_landmark_points",
    "write_named_pairs",
    "write_named_points",
    "write_napari_points",
]
