"""Whether memory grows with time, and what an idle stream costs: `make soak`. See docs/chaos.md."""
