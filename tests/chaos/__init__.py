"""Random requests, random faults, and an audit of what is left: `make chaos`. See docs/chaos.md."""
