"""One concern each around every call; their order is fixed in `app.server`."""
