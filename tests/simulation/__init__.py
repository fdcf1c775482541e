"""Simulations that show what docs/statistics.md promises."""
