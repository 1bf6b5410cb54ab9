"""Who may vouch for a server: the authorities that come with httpx, read once.

Reading them takes longer than a posting, and who asks several servers would do it for each.
"""

from functools import cache
from ssl import SSLContext

from httpx import create_ssl_context


@cache
def trusted() -> SSLContext:
    """Return the context of every client; no file that somebody's environment names is in it."""
    return create_ssl_context(trust_env=False)
