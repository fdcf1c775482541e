"""Learned routing: from stored samples to a model that a gateway can route by."""
