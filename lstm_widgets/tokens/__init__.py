"""What tokens are: how they spell a text."""
