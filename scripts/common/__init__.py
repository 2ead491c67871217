"""What all commands share. Standard library only."""
