"""Text to speech: a text is spoken by Kokoro-82M, and what it says is converted to the voice wanted."""
