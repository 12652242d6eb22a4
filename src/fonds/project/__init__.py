"""Where content lies and what a project's settings say."""
