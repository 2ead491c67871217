"""The networks' weights: fetched, verified and converted."""
