"""IMAP accounts: `ImapBackend` opens them; everything else is inside."""

from postroom_server.backends.imap.backend import ImapBackend

__all__ = ["ImapBackend"]
