"""What is done with a model: recorded, gone on with, held."""
