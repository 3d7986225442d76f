"""BioImage Archive: PageTab submissions and crates, written, read, checked and repaired."""
