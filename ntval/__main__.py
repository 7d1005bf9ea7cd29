"""`python -m ntval` is `ntval`."""

from ntval.front.cli.app import main

main()
