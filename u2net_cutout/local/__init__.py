"""An archive opened without a server: in this process, or in one for each core."""
