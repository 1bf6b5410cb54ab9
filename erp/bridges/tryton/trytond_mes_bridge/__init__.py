# SPDX-License-Identifier: GPL-3.0-or-later
"""Tryton as the ERP of a manufacturing execution system."""

from . import routes

__all__ = ["register", "routes"]


def register():
    """Classes are registered by tryton.cfg; importing `routes` has added the addresses."""
