"""Where objects lie and go: sources that are only read, targets that answer for every object."""
