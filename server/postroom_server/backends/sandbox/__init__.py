"""Sandbox accounts: a true provider of our own, kept in the store, for tests, demos and examples."""
