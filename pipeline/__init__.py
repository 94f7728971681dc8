"""Audio in, audio out: everything that knows a voice but no session."""

import kernels  # noqa: F401  (before any compiled loop: it decides where those are cached)
