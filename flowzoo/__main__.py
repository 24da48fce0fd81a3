"""`python -m flowzoo` is the `flowzoo` command."""

import sys

from flowzoo.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
