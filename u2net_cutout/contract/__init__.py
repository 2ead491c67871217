"""What may be asked and answered: options, limits, formats, errors."""
