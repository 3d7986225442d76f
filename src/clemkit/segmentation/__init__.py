"""Segmentation: volumes to labels with classical methods."""
