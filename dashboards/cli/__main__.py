"""`python -m dashboards.cli`, for the launcher."""

from dashboards.cli import main

main()
