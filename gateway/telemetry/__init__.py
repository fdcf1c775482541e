"""What operators see: metrics, spans, a log line a request."""
