"""Make words, names and paths from outside safe to show in terminals, Markdown and spreadsheets."""
