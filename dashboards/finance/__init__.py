"""Finance's pages: the three-way match of floor, message and posting, and the link to the ERP."""
