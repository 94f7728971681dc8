"""How the network of `native` was made."""
