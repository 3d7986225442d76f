"""Rules for the chemistry and the order of a preparation; `protocols.check` runs them."""
