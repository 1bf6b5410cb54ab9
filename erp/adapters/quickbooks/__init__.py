"""QuickBooks Desktop Enterprise: its Web Connector polls us, and takes one build a batch with it.

QuickBooks has no door of its own. `queue` keeps what waits for the next poll and a mirror of what
was read at the last, `tasks` is what one poll does, `service` answers the Web Connector's SOAP
calls, `adapter` is the port. Library: qbwc-kit.
"""
