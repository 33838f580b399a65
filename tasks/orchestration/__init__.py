"""Prefect's side: artifacts on its pages, and its flow runs seen from outside."""
