"""`make edges`: foreground colours and refinement against known mattes."""
