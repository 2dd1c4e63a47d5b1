"""From features to scores, and what the scores are worth."""
