"""Verified answers: an answer is held until it has been looked at, and another route is asked where it failed."""
