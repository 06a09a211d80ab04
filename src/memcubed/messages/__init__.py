"""Messages: accepting them so that nothing is lost, and giving them back."""
