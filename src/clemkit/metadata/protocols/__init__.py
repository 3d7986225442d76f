"""Sample-preparation protocols: read from files and prose, checked, compared, written."""
