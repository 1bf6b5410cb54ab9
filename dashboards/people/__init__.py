"""The page `/people`: who has access, by which means, and everything that changes it."""
