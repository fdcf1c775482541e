"""Keeps evidence fresh: asks live routes small slices of suites, and says when one no longer keeps its bar."""
