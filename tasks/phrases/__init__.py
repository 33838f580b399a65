"""The stage `phrases`: words that belong together become one word."""
