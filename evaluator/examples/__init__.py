"""The examples that a request itself shows of the function it asks for: found, and run on an answer's code."""
