"""Pure rules: bytes and values in, values out. No clock, disk, network, Flask or SQL."""
