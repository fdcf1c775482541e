"""What lasts: the ledger and the scorecards, in SQLite. Only the parent process opens it."""
