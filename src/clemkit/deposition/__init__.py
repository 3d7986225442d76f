"""Depositions: what the archives take, made from the description and checked against the files."""
