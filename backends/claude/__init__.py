"""Claude through Anthropic's Messages API: ``backend.py`` is the way in. Importing this loads nothing."""
