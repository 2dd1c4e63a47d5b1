"""From video files to features; needs the extra `video`."""
