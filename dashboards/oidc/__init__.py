"""Signing in by the company's own provider (OpenID Connect): the client and its two routes."""
