"""Modbus TCP: the polling client, the register decoding and the counter arithmetic."""
