"""What replays keep on disk: a folder a run, written as results come in."""
