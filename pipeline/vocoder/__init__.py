"""The voice of both converters: pitch-synchronous overlap-add of the singer's own grains, streamed.

Grains are cut around analysis marks (`marks`), measured and reshaped by filters (`grains`, `filters`), and laid
down again at another pitch. What makes the sound stays the singer's: consonants, breath, growl, vibrato.
"""
