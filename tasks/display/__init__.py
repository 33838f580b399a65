"""Words, names and paths from elsewhere, made safe for terminals, Markdown and spreadsheets."""
