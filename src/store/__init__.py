"""What graphs remember across threads."""
