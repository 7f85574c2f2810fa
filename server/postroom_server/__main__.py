"""`python -m postroom_server` is the script `postroom`."""

from postroom.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
