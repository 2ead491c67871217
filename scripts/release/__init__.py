"""Pinned requirements and the bill of materials."""
