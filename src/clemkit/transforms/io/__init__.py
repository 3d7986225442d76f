"""Transform files: one module per format; axis order, units and directions end here."""
