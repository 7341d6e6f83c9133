"""Read the source formats: official files in, records and image bytes out."""
