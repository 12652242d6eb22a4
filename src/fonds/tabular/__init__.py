"""Tables that other systems export: what their columns mean, and how they are read, line by line told where not."""
