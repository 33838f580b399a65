"""What is cleaned up: orphaned runs, expired runs, unused outputs."""
