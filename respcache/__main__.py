"""`python -m respcache` is the same as `respcache`."""

import sys

from respcache.cli import main

if __name__ == "__main__":
    sys.exit(main())
