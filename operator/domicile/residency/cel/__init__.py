"""Expressions of rules: CEL, read and checked when a policy is applied, and evaluated on facts."""
