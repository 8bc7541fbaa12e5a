"""`python -m colgan_search` is `colgan-search`."""

from colgan_search.cli import main

main()
