"""Storage drivers: where bytes lie. They know nothing of charts."""
