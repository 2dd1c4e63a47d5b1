"""Command line that extracts features of videos."""
