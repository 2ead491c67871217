"""The contract of requests and responses: options, limits, formats, errors."""
