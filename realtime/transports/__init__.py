"""What carries a conversation."""
