"""`python -m route_run` is `route-run`."""

from route_run.cli.main import main

main()
