"""Audio in, audio out: everything that knows a voice but no session."""
