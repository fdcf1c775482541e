"""The processes of one gateway: the parent, its workers, and what each keeps running."""
