"""Servers of other people as peers: started as processes, spoken to by HTTP alone."""
