"""The widgets: thin Python at the edge of the page, one module each."""
