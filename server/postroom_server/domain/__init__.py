"""Pure rules: no input and output, no store, no wire. Everything else points here."""
