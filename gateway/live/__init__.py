"""What requests take now: timed by the parent as it drains the ledger, told to every worker, never at a request."""
