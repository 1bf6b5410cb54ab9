"""The verifier that travels with every export, for whoever trusts neither the server nor us.

Its modules know the standard library of Python 3.8 and each other, nothing else; their order is
that of `one_file.MODULES`, and each may import those before it. `one_file` puts them together into
the `verify.py` of a bundle; it does not travel itself.
"""
