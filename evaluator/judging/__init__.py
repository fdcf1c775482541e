"""From an answer to a verdict: extraction, a run in the sandbox, the oracle, the comparison outside it."""
