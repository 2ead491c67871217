"""Bytes to pictures and back: decoding, colour, compositing, encoding. No torch."""
