"""Metrics now, spans next: what operators see."""
