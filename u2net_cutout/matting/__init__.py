"""Saliency maps to alpha and foreground colours."""
