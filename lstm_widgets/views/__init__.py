"""What widgets and figures show: the arrays and the words of one moment."""
