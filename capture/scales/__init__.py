"""Scale dialects: each is a pure `parse(line)` with its command table; `driver` owns the I/O."""
