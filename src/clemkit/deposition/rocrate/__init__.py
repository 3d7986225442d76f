"""RO-Crates: of a finished experiment, for searching, and back into the description."""
