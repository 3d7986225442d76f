"""Landmarks: sets, pairs, files, and sampling from labels."""

from clemkit.landmarks.landmark_set import LandmarkPairs, LandmarkSet

__all__ = ["LandmarkPairs", "LandmarkSet"]
