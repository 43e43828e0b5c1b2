"""See what every cell of a recurrent network has learned."""
