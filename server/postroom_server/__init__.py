"""The Postroom server: live mailboxes behind one contract. This module holds the version only."""

__version__ = "0.1.0"
