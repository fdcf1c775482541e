"""The parent's own API, on a Unix socket."""
