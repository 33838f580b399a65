"""What happens around a flow run: its name, and what follows when it fails or stops."""
