"""Results for people: the picture, the console's table, the page of a run."""
