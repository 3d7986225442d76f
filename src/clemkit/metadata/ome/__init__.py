"""OME-XML: a description goes in and comes out whole; files of other programs are read."""
