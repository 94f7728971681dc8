"""The stages of a conversion, as clients see them."""

# from and to, in percent of the whole
STAGES = {"separation": (0, 25), "pitch": (25, 40), "conversion": (40, 80), "mixing": (80, 100)}
