"""The model archive: built, recorded, verified."""
