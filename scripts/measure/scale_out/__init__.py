"""`make scale-out`: one machine against several."""
