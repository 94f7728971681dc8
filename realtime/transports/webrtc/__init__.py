"""Live sessions over WebRTC: frames that do not wait for lost ones, through aiortc."""
