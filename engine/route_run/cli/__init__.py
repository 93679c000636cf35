"""The `route-run` command line: parse, call, print, exit code."""
