"""How the live pitch tracker is made."""
