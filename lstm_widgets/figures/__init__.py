"""Still pictures: what stands beside a widget where no page can draw it."""
