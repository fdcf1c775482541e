"""The routes as they serve: replicas, which of them, and who keeps what."""
