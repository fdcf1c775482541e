"""The road of a request: from what was asked to its settled row in the ledger."""
