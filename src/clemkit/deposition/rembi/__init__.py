"""Descriptions in other forms of REMBI and MIFA, read into the model."""
