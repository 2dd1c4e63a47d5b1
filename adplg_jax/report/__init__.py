"""Results for people: the picture and the console's table."""
