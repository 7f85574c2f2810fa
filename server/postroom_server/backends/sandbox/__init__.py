"""Sandbox accounts: a true provider of our own, kept in the store, for tests, demos and examples."""

from postroom_server.backends.sandbox.backend import SandboxBackend, address_of
from postroom_server.backends.sandbox.play import OutsideWorld
from postroom_server.backends.sandbox.reading import MessageParser
from postroom_server.backends.sandbox.sender import SandboxSender

__all__ = ["MessageParser", "OutsideWorld", "SandboxBackend", "SandboxSender", "address_of"]
