"""Clean up: close orphaned runs, delete expired runs, and collect unused outputs."""
