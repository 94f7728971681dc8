"""AutoVoice: the service that an operator starts, configures and watches."""

__version__ = "0.1.0"
