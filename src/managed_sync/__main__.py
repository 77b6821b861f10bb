"""The command line, as ``python -m managed_sync``."""

from __future__ import annotations

from managed_sync.cli import main

if __name__ == "__main__":
    main()
