"""What must hold after a run. Each invariant is a function from the evidence to what contradicts it, in words."""
