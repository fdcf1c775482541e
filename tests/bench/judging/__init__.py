"""Our judge beside EvalPlus's, on the same recorded answers."""
