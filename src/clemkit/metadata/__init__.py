"""The description of an experiment: read, check, turn into linked data and back."""
