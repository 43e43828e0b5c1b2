"""What a framework's models are to the rest of the package."""
