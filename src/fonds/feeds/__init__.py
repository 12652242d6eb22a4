"""What other systems know: patients and their merges, orders and reports, as an index or a RIS tells them."""
