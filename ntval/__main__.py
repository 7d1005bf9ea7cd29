"""`python -m ntval` is `ntval`."""

from ntval.front.cli.app import main

if __name__ == "__main__":
    main()
