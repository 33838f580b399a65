"""Report a run to people: tables, pages and figures."""
