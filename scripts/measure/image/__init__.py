"""The container image: built, measured, run and stopped under load."""
