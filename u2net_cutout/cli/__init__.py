"""The command `u2net-cutout`."""
