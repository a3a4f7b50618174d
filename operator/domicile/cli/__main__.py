"""`python -m domicile.cli`, for when the command is to be started with this very interpreter."""

from domicile.cli.main import main

main()
