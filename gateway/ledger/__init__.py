"""One terminal row a request: spooled by the worker that served it, drained into the store by the parent."""
