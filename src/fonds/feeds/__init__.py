"""What other systems know: patients and their merges as a registration system or patient index tells them."""
