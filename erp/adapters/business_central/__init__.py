"""Dynamics 365 Business Central over OData V4: Microsoft's pages to read, the customer's to post.

Microsoft publishes no page that posts consumption or output with a lot. The page that does is made
by the customer's partner after the contract in `fields`; it keeps our reference as its unique key.
"""
