"""Reports as one HTML file each, for people who will not open a terminal."""
