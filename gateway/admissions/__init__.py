"""What watching decided, between the gateways that share a Valkey."""
