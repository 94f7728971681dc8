"""How what we ship was made."""
