"""Live sessions: protocol, session, engine and transports."""
