"""Small tasks to train a recurrent network on, made here, nothing downloaded."""
