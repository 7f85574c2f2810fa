"""The generated contract `postroom.v1`. Made by `scripts/generate`; not to be edited."""
