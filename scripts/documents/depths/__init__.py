"""What pictures of each kind and depth of samples come out as, measured."""
