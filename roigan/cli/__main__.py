"""`python -m roigan.cli`, the same as `roigan`."""

from roigan.cli.main import main

main()
