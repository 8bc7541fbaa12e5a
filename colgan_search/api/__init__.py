"""What the commands do, as Python functions: one module per subject, imported from there.

`colgan_search` itself has the names that its users need.
"""
