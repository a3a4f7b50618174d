"""`domicile audit export`: the log for who verifies it, and what it says for who reads it."""
