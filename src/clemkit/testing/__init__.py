"""Phantoms with known truth and hypothesis strategies, for users' own tests too."""
