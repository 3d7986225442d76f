"""The flow as plain functions; the only room that knows all the others."""
