"""`make bench`: what the gateway costs beside its peers. Not collected by pytest; run with `python -m tests.bench`."""
