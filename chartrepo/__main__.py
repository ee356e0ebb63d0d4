"""`python -m chartrepo` is the command `chartrepo`."""

from chartrepo.cli import main

main()
