"""Runs AI models only where they are allowed to be, and proves it."""
