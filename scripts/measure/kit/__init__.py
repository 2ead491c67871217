"""What measurements share: servers, load, processes, photos."""
