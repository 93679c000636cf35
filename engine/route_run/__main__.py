"""Where `route-run` and `python -m route_run` start."""

import sys


def main() -> None:
    """Run the command line; an interrupt while it is still being loaded ends it as one that comes later does."""
    try:
        from route_run.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
