"""The command line: one call of the api per command, printing only."""

from colgan_search.cli.app import main

__all__ = ["main"]
