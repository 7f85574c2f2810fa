"""Logs, metrics and what may never be in them."""
