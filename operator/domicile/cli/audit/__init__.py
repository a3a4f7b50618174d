"""`domicile audit`: reads the evidence, offline, and asks it."""
