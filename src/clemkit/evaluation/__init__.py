"""Evaluation: target registration error, overlap, Jacobian, and the report."""
