"""Do the unit tests notice a fault? One-line faults put into a copy of the code, one at a time."""
