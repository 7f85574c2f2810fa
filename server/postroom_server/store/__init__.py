"""Redis adapters of the store ports; nothing else in the server imports redis."""
