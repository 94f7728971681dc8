"""Live sessions over WebRTC: media that survives loss, through aiortc."""
